"""What language models are asked, as text files beside what reads their replies: for every chat back end."""
