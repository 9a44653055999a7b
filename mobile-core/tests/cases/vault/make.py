#!/usr/bin/env python3
"""Writes the test vectors of docs/spec/vault.md, from the specification alone, with another implementation.

Argon2id, HKDF and ChaCha20-Poly1305 are those of the Python package `cryptography` (OpenSSL); HChaCha20, which makes the
X in XChaCha20, stands below and is checked against its published vector. Needs `pip install cryptography`.

    python3 make.py        writes the .hex files beside it
"""
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            turned = state[z] ^ state[x]
            state[z] = ((turned << bits) | (turned >> (32 - bits))) & 0xFFFFFFFF

    for _ in range(10):
        for lane in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(*lane)
        for lane in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*lane)
    return struct.pack("<8I", *(state[:4] + state[12:]))


# The draft's vector, section 2.2.1.
assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex() == (
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
)


def seal(key, nonce, aad, message):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], message, aad)


def counted(first, length):
    """Stands for random bytes: first, first + 1, ..."""
    return bytes((first + index) & 0xFF for index in range(length))


VAULT_ID = counted(0x00, 16)
MASTER = counted(0x40, 32)


def slot(kind, slot_id, parameters, nonce, key):
    head = bytes([kind]) + slot_id + struct.pack(">H", len(parameters)) + parameters
    return head + nonce + seal(key, nonce, b"countersign vault 1 slot" + VAULT_ID + head, MASTER)


def passphrase_slot(first, passphrase, memory, passes, lanes):
    slot_id, salt, nonce = counted(first, 16), counted(first + 16, 16), counted(first + 32, 24)
    key = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory).derive(passphrase.encode())
    return slot(1, slot_id, struct.pack(">III", memory, passes, lanes) + salt, nonce, key)


def device_slot(first, prf_output, prf_input, credential):
    slot_id, nonce = counted(first, 16), counted(first + 32, 24)
    key = HKDF(SHA256(), 32, prf_input, b"countersign vault 1 device slot").derive(prf_output)
    return slot(2, slot_id, prf_input + credential, nonce, key)


def vault(revision, slots, nonce, content):
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 1024)
    before = b"csvault\n" + struct.pack(">H", 1) + VAULT_ID + struct.pack(">QB", revision, len(slots))
    before += b"".join(slots) + nonce
    return before + seal(MASTER, nonce, before, text)


EMPTY = {"version": 1, "entries": []}
ENTRIES = {
    "version": 1,
    "entries": [
        {
            "id": counted(0x10, 16).hex(), "kind": "totp", "issuer": "Example", "account": "alice@example.com",
            "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "algorithm": "SHA256", "digits": 8, "period": 60,
            "label": "Büro", "group": "Work", "favourite": True, "created": 1795568400000, "note": "a note\nof two lines",
            "origin": {"issuer": "https://mfa.example.com", "factor": "0192f0c1-2345-7abc-8def-0123456789ab"},
            "colour": {"of": ["a", "later", 1.5]},
        },
        {
            "id": counted(0x20, 16).hex(), "kind": "hotp", "account": "bob", "secret": "MZXW6YTBOI",
            "algorithm": "SHA1", "digits": 6, "counter": 18446744073709551615, "favourite": False, "created": 0,
        },
        {
            "id": counted(0x30, 16).hex(), "kind": "steam", "issuer": "Steam", "account": "carol",
            "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "favourite": False, "created": 0,
        },
    ],
    "theme": "dark",
}
PASSPHRASE = passphrase_slot(0x80, "correct horse", 8192, 2, 1)
OTHER = passphrase_slot(0x90, "Füße 🔑", 8192, 1, 2)
DEVICE = device_slot(0xA0, counted(0xC0, 32), counted(0xE0, 32), b"credential")

# A type that version 1 does not know: any parameters, nonce and wrapped key.
LATER = bytes([9]) + counted(0xB0, 16) + struct.pack(">H", 5) + b"later" + counted(0x11, 24) + counted(0x22, 48)

for name, file in {
    "passphrase": vault(1, [PASSPHRASE], counted(0x60, 24), EMPTY),
    "device": vault(1, [DEVICE], counted(0x60, 24), EMPTY),
    "entries": vault(7, [PASSPHRASE, OTHER, DEVICE], counted(0x70, 24), ENTRIES),
    "later_slot": vault(1, [LATER, DEVICE], counted(0x60, 24), EMPTY),
}.items():
    lines = [file.hex()[start : start + 120] for start in range(0, len(file) * 2, 120)]
    (HERE / f"{name}.hex").write_text("\n".join(lines) + "\n")
