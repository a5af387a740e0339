#!/bin/sh
# The contract of chat back ends against a server that none of us wrote. Run by `make contract`.
#   SERVER=http://127.0.0.1:8000/v1 MODEL=name scripts/contract.sh    a server that is up: llama-server, vLLM, Xinference …
#   scripts/contract.sh                                               `transformers serve`, over a tiny random model
set -eu
BIN=.venv/bin
if [ -z "${SERVER:-}" ]; then
  folder=build/contract
  mkdir -p "$folder"
  # Beside the environment, not in it: nothing else here needs a web framework.
  test -d "$folder/lib/fastapi" || $BIN/python -m pip install --quiet --disable-pip-version-check --target "$folder/lib" \
    --no-deps fastapi annotated-doc python-multipart opentelemetry-api opentelemetry-semantic-conventions importlib-metadata zipp
  port=$($BIN/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  PYTHONPATH="$folder/lib:src:." $BIN/python scripts/contract_server.py "$folder" "$port" > "$folder/log" 2>&1 &
  server=$!
  trap 'kill $server' EXIT
  SERVER="http://127.0.0.1:$port/v1" MODEL="$(pwd)/$folder/model"
  $BIN/python - "$SERVER" <<'PY' || { tail -5 "$folder/log"; exit 1; }
import sys, time, urllib.request
for _ in range(120):
    try:
        urllib.request.urlopen(sys.argv[1] + "/models", timeout=5)
        sys.exit()
    except OSError:
        time.sleep(1)
sys.exit("the server didn't come up")
PY
fi
TRIPTYCH_SERVER="$SERVER" TRIPTYCH_MODEL="$MODEL" $BIN/python -m pytest -q -rP tests/backends/test_foreign_server.py
