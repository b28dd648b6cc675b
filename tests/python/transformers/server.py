"""A few lines of OpenAI-compatible server over Hugging Face transformers: GET /health, POST /v1/completions (streams, greedy).

Arguments: model folder, port, and the type to compute in (bfloat16 unless given). Uses the first CUDA device, else the processor.
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

started = time.monotonic()
import torch
import transformers

folder, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "bfloat16"
device = "cuda" if torch.cuda.is_available() else "cpu"
imported = time.monotonic()
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, kind)).to(device).eval()
one_at_a_time = threading.Lock()


@torch.no_grad()
def generate(prompt, limit):
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]], device=device)
    made, text, past = [], "", None
    while len(made) < limit:
        step = model(ids, past_key_values=past, use_cache=True)
        past, token = step.past_key_values, int(step.logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            yield "", "stop"
            return
        made.append(token)
        whole = tokenizer.decode(made)
        yield whole[len(text):], "length" if len(made) == limit else None
        text, ids = whole, torch.tensor([[token]], device=device)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        with one_at_a_time:
            for text, finish in generate(body["prompt"], body.get("max_tokens", 16)):
                self.event(json.dumps({"object": "text_completion", "model": body["model"], "choices": [{"index": 0, "text": text, "finish_reason": finish}]}))
        self.event("[DONE]")
        self.close_connection = True

    def event(self, data):
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


name = torch.cuda.get_device_name(0) if device == "cuda" else "the processor"
print(f"serves with transformers {transformers.__version__} on {name}: imports {imported - started:.1f} s, model {time.monotonic() - imported:.1f} s", flush=True)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
