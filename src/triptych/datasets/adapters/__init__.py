"""Reading anybody's edit data set: containers by what lies in a folder, columns by sets of names."""
