#!/usr/bin/env python3
"""Writes the sample exports beside it, each with a `.expected` file that says what must be read.

All secrets are made up. The formats are written from what is known of them (docs/spec/transfer.md), with another
implementation of the ciphers: the Python package `cryptography`. The salts are fixed, so that the files stay the same.

    pip install cryptography; python3 make.py
"""
import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = Path(__file__).parent
PASSWORD = "tree house"

ALICE = b"12345678901234567890"
BOB = b"12345678901234567890123456789012"
CAROL = b"foobar"
DAVE = bytes(range(20))


def b32(secret):
    return base64.b32encode(secret).decode().rstrip("=")


def counted(first, length):
    """Stands for random bytes."""
    return bytes((first + index) & 0xFF for index in range(length))


# What is expected of the four accounts that nearly every sample has.
ALICE_URI = f"otpauth://totp/Example:alice@example.com?secret={b32(ALICE)}&issuer=Example&algorithm=SHA1&digits=6&period=30"
BOB_URI = f"otpauth://totp/Bank%20%26%20Co:bob?secret={b32(BOB)}&issuer=Bank%20%26%20Co&algorithm=SHA256&digits=8&period=60"
CAROL_URI = f"otpauth://hotp/Box:carol?secret={b32(CAROL)}&issuer=Box&algorithm=SHA1&digits=6&counter=7"
DAVE_URI = f"otpauth://steam/Steam:dave?secret={b32(DAVE)}&issuer=Steam"


def sample(name, content, form, expected, password=None):
    data = content if isinstance(content, bytes) else content.encode()
    (HERE / name).write_bytes(data)
    head = [f"format: {form}"] + ([f"password: {password}"] if password else [])
    (HERE / f"{name}.expected").write_text("\n".join(head + expected) + "\n")


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# --- URIs ------------------------------------------------------------------------------------------------------------

sample(
    "list.txt",
    "# my accounts\n"
    f"otpauth://totp/Example:alice%40example.com?secret={b32(ALICE)}&issuer=Example\r\n"
    "\n"
    f"  {BOB_URI}\n"
    f"{CAROL_URI}\n"
    f"otpauth://totp/Steam:dave?secret={b32(DAVE)}&issuer=Steam&encoder=steam\n"
    "otpauth://totp/Odd:erin?secret=AAAA&digits=5\n"
    "otpauth://totp/Bad:frank?secret=0189\n"
    "this is no URI\n"
    "otpauth://motp/Old:gina?secret=AAAA\n",
    "uris",
    [
        f"found: line 2: {ALICE_URI}",
        f"found: line 4: {BOB_URI}",
        f"found: line 5: {CAROL_URI}",
        f"found: line 6: {DAVE_URI}",
        "unread: line 7: out_of_range: Odd:erin",
        "unread: line 8: secret_character: Bad:frank",
        "unread: line 9: scheme_unknown: ",
        "unread: line 10: kind_unknown: Old:gina",
    ],
)


def display(**values):
    known = {"pinned": False, "trashed": False, "lastUsedAt": 0, "tapCount": 3, "tags": [], "note": "", "position": 0}
    return "&codeDisplay=" + quote(json.dumps({**known, **values}))


sample(
    "ente.txt",
    f"otpauth://totp/Example:alice@example.com?secret={b32(ALICE)}&issuer=Example&algorithm=sha1&digits=6&period=30"
    + display(pinned=True, tags=["Work", "Old"], note="ask\nBob")
    + "\n"
    + f"{BOB_URI}{display(note='é' * 1500)}\n"
    + f"otpauth://hotp/Box:carol?secret={b32(CAROL)}&issuer=Box&algorithm=sha1&digits=6&period=30&counter=7{display()}\n"
    + f"otpauth://steam/Steam:dave?secret={b32(DAVE)}&issuer=Steam&algorithm=sha1&digits=5&period=30{display()}\n"
    + f"otpauth://totp/Gone:erin?secret=AAAA&issuer=Gone{display(trashed=True)}\n"
    + "otpauth://totp/Bad:frank?secret=AAAA&codeDisplay=%7B\n",
    "uris",
    [
        f'found: line 1: {ALICE_URI} group="Work" favourite note="ask\\nBob"',
        f'found: line 2: {BOB_URI} note="{"é" * 1500}"',
        f"found: line 3: {CAROL_URI}",
        f"found: line 4: {DAVE_URI}",
        "unread: line 5: trashed: Gone:erin",
        "unread: line 6: member: Bad:frank",
    ],
)


# --- otpauth-migration -----------------------------------------------------------------------------------------------


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def account(secret, name, issuer, algorithm, digits, kind, counter=None, more=b""):
    out = field(1, secret) + field(2, name.encode())
    if issuer:
        out += field(3, issuer.encode())
    out += field(4, algorithm) + field(5, digits) + field(6, kind)
    return out + (field(7, counter) if counter is not None else b"") + more


def migration(accounts, size, index, batch):
    message = b"".join(field(1, one) for one in accounts)
    message += field(2, 1) + field(3, size) + field(4, index) + field(5, batch)
    return "otpauth-migration://offline?data=" + quote(base64.b64encode(message).decode(), safe="")


BOB_30_URI = BOB_URI.replace("period=60", "period=30")
GOOGLE = [
    account(ALICE, "Example:alice@example.com", "Example", 1, 1, 2),
    account(BOB, "bob", "Bank & Co", 2, 2, 2),
    # Field 8 is of a later version: it is stepped over.
    account(CAROL, "Box:carol", "", 0, 0, 1, 7, field(8, b"id")),
]
sample(
    "migration.txt",
    migration(GOOGLE, 1, 0, 123456) + "\n",
    "uris",
    [
        f"found: line 1, account 1: {ALICE_URI}",
        f"found: line 1, account 2: {BOB_30_URI}",
        f"found: line 1, account 3: {CAROL_URI}",
    ],
)
# As our own writer must write it: every name with its issuer before it.
WRITTEN = [GOOGLE[0], account(BOB, "Bank & Co:bob", "Bank & Co", 2, 2, 2), account(CAROL, "carol", "", 1, 1, 1, 7)]
sample(
    "migration_written.txt",
    migration(WRITTEN, 1, 0, 123456) + "\n",
    "uris",
    [
        f"found: line 1, account 1: {ALICE_URI}",
        f"found: line 1, account 2: {BOB_30_URI}",
        f"found: line 1, account 3: otpauth://hotp/carol?secret={b32(CAROL)}&algorithm=SHA1&digits=6&counter=7",
    ],
)
sample(
    "migration_parts.txt",
    migration(GOOGLE[:1], 4, 0, 77)
    + "\n"
    + migration([account(CAROL, "md5", "", 4, 1, 2), account(b"", "none", "", 1, 1, 2), account(CAROL, "x", "", 1, 1, 0)], 4, 2, 77)
    + "\notpauth-migration://offline?data=%%%\n"
    + "otpauth-migration://offline?data="
    + quote(base64.b64encode(field(1, GOOGLE[1]) + b"\x0a\x7f").decode(), safe="")
    + "\n",
    "uris",
    [
        f"found: line 1, account 1: {ALICE_URI}",
        f"found: line 4, account 1: {BOB_30_URI}",
        "unread: line 2, account 1: algorithm_unknown: md5",
        "unread: line 2, account 2: secret_missing: none",
        "unread: line 2, account 3: kind_unknown: x",
        "unread: line 3: damaged: ",
        "unread: line 4: damaged: ",
        "unread: QR code 2: part_missing: ",
        "unread: QR code 4: part_missing: ",
    ],
)

# --- Aegis -----------------------------------------------------------------------------------------------------------


def aegis_entry(kind, name, issuer, info, **more):
    known = {"uuid": f"00000000-0000-4000-8000-{len(name):012}", "note": "", "favorite": False, "icon": None, "groups": []}
    return {"type": kind, "name": name, "issuer": issuer, **known, "info": info, **more}


def info(secret, algo="SHA1", digits=6, **more):
    return {"secret": b32(secret), "algo": algo, "digits": digits, **more}


GROUP = "11111111-1111-4111-8111-111111111111"
AEGIS = {
    "version": 3,
    "entries": [
        aegis_entry("totp", "alice@example.com", "Example", info(ALICE, period=30), groups=[GROUP], favorite=True, note="a note"),
        aegis_entry("totp", "bob", "Bank & Co", info(BOB, "SHA256", 8, period=60)),
        aegis_entry("hotp", "carol", "Box", info(CAROL, counter=7)),
        aegis_entry("steam", "dave", "Steam", info(DAVE, digits=5, period=30)),
        aegis_entry("yandex", "erin", "Yandex", info(CAROL, "SHA256", 8, period=30, pin="1234")),
        aegis_entry("motp", "frank", "Old", info(CAROL, "MD5", 6, period=10, pin="1234")),
        {"type": "totp", "name": "gina", "issuer": ""},
    ],
    "groups": [{"uuid": GROUP, "name": "Work"}],
    "icons_optimized": True,
}
AEGIS_EXPECTED = [
    f'found: account 1: {ALICE_URI} group="Work" favourite note="a note"',
    f"found: account 2: {BOB_URI}",
    f"found: account 3: {CAROL_URI}",
    f"found: account 4: {DAVE_URI}",
    "unread: account 5: kind_unknown: Yandex:erin",
    "unread: account 6: kind_unknown: Old:frank",
    "unread: account 7: member: :gina",
]
sample("aegis.json", pretty({"version": 1, "header": {"slots": None, "params": None}, "db": AEGIS}), "aegis", AEGIS_EXPECTED)
OLD = {"version": 2, "entries": [{**aegis_entry("totp", "alice@example.com", "Example", info(ALICE, period=30)), "group": "Work"}]}
sample(
    "aegis_old.json",
    pretty({"version": 1, "header": {"slots": None, "params": None}, "db": OLD}),
    "aegis",
    [f'found: account 1: {ALICE_URI} group="Work"'],
)


def split(sealed, nonce):
    return sealed[:-16], {"nonce": nonce.hex(), "tag": sealed[-16:].hex()}


def aegis_encrypted():
    master = counted(1, 32)
    slots = [{"type": 2, "uuid": "biometric", "key": "00" * 32, "key_params": {"nonce": "00" * 12, "tag": "00" * 16}}]
    # A slot of another password first: each is tried.
    for password, first in (("another", 10), (PASSWORD, 60)):
        salt, nonce = counted(first, 32), counted(first + 1, 12)
        key = hashlib.scrypt(password.encode(), salt=salt, n=4096, r=8, p=1, dklen=32, maxmem=1 << 26)
        wrapped, params = split(AESGCM(key).encrypt(nonce, master, None), nonce)
        slot = {"type": 1, "uuid": "password", "key": wrapped.hex(), "key_params": params}
        slots.append({**slot, "n": 4096, "r": 8, "p": 1, "salt": salt.hex(), "repaired": True, "is_backup": False})
    nonce = counted(99, 12)
    sealed, params = split(AESGCM(master).encrypt(nonce, json.dumps(AEGIS).encode(), None), nonce)
    return {"version": 1, "header": {"slots": slots, "params": params}, "db": base64.b64encode(sealed).decode()}


sample("aegis_encrypted.json", pretty(aegis_encrypted()), "aegis", AEGIS_EXPECTED, PASSWORD)

# --- 2FAS ------------------------------------------------------------------------------------------------------------


def service(name, secret, position, group=None, **otp):
    known = {"digits": 6, "period": 30, "algorithm": "SHA1", "tokenType": "TOTP", "source": "Link"}
    out = {"name": name, "secret": secret, "updatedAt": 1, "otp": {**known, **otp}, "order": {"position": position}}
    return {**out, "icon": {"selected": "Label"}, **({"groupId": group} if group else {})}


SERVICES = [
    service("My bank", b32(BOB), 1, issuer="Bank & Co", account="bob", algorithm="SHA256", digits=8, period=60),
    service("Example", b32(ALICE), 0, GROUP, issuer="Example", account="alice@example.com", label="Example:alice@example.com"),
    service("Box", b32(CAROL), 2, account="carol", tokenType="HOTP", counter=7),
    service("Steam", b32(DAVE), 3, account="dave", issuer="Steam", tokenType="STEAM", digits=5),
    service("Bad", "0189", 4, account="erin"),
]
TWOFAS_EXPECTED = [
    f'found: account 2: {ALICE_URI} group="Work"',
    f'found: account 1: {BOB_URI} label="My bank"',
    f"found: account 3: {CAROL_URI}",
    f"found: account 4: {DAVE_URI}",
    "unread: account 5: secret_character: Bad:erin",
]
TWOFAS = {
    "services": SERVICES,
    "groups": [{"id": GROUP, "name": "Work", "isExpanded": True}],
    "updatedAt": 1,
    "schemaVersion": 4,
    "appVersionCode": 50000,
    "appOrigin": "android",
}
sample("2fas.json", json.dumps(TWOFAS), "2fas", TWOFAS_EXPECTED)


def sealed_2fas():
    salt, nonce = counted(5, 256), counted(7, 12)
    key = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 10000, 32)
    sealed = AESGCM(key).encrypt(nonce, json.dumps(SERVICES).encode(), None)
    return ":".join(base64.b64encode(part).decode() for part in (sealed, salt, nonce))


sample(
    "2fas_encrypted.json",
    json.dumps({**TWOFAS, "services": [], "servicesEncrypted": sealed_2fas(), "reference": "unused"}),
    "2fas",
    TWOFAS_EXPECTED,
    PASSWORD,
)

# --- andOTP ----------------------------------------------------------------------------------------------------------


def andotp(kind, issuer, label, secret, algorithm="SHA1", digits=6, **more):
    known = {"thumbnail": "Default", "last_used": 1, "used_frequency": 0, "tags": []}
    return {"secret": secret, "issuer": issuer, "label": label, "digits": digits, "type": kind, "algorithm": algorithm, **known, **more}


ANDOTP = [
    andotp("TOTP", "Example", "alice@example.com", b32(ALICE), period=30, tags=["Work"]),
    andotp("TOTP", "Bank & Co", "bob", b32(BOB), "SHA256", 8, period=60),
    andotp("HOTP", "Box", "carol", b32(CAROL), counter=7),
    andotp("STEAM", "Steam", "dave", b32(DAVE), digits=5, period=30),
    andotp("MOTP", "Old", "erin", "AAAA", period=10),
    andotp("TOTP", "Long", "frank", b32(ALICE), period=0),
]
ANDOTP_EXPECTED = [
    f'found: account 1: {ALICE_URI} group="Work"',
    f"found: account 2: {BOB_URI}",
    f"found: account 3: {CAROL_URI}",
    f"found: account 4: {DAVE_URI}",
    "unread: account 5: kind_unknown: Old:erin",
    "unread: account 6: out_of_range: Long:frank",
]
sample("andotp.json", json.dumps(ANDOTP), "andotp", ANDOTP_EXPECTED)


def andotp_encrypted():
    rounds, salt, nonce = 14321, counted(11, 12), counted(13, 12)
    key = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt, rounds, 32)
    return rounds.to_bytes(4, "big") + salt + nonce + AESGCM(key).encrypt(nonce, json.dumps(ANDOTP).encode(), None)


sample("andotp.json.aes", andotp_encrypted(), "andotp_encrypted", ANDOTP_EXPECTED, PASSWORD)

# --- FreeOTP+ --------------------------------------------------------------------------------------------------------


def token(kind, issuer, label, secret, algo="SHA1", digits=6, counter=0, period=30, **more):
    signed = [byte - 256 if byte > 127 else byte for byte in secret]
    known = {"algo": algo, "counter": counter, "digits": digits, "issuerExt": issuer, "issuerInt": issuer, "label": label}
    return {**known, "period": period, "secret": signed, "type": kind, **more}


SIGNED = bytes([0, 127, 128, 255])
sample(
    "freeotp_plus.json",
    json.dumps(
        {
            "tokenOrder": ["Example:alice@example.com"],
            "tokens": [
                token("TOTP", "Example", "alice@example.com", ALICE, labelAlt="Me"),
                token("TOTP", "Bank & Co", "bob", BOB, "SHA256", 8, period=60),
                token("HOTP", "Box", "carol", CAROL, counter=7),
                token("TOTP", "", "signed", SIGNED),
                {**token("TOTP", "Bad", "erin", CAROL), "secret": [300]},
                {**token("TOTP", "Bad", "frank", CAROL), "algo": "MD5"},
            ],
        }
    ),
    "freeotp_plus",
    [
        f'found: account 1: {ALICE_URI} label="Me"',
        f"found: account 2: {BOB_URI}",
        f"found: account 3: {CAROL_URI}",
        f"found: account 4: otpauth://totp/signed?secret={b32(SIGNED)}&algorithm=SHA1&digits=6&period=30",
        "unread: account 5: member: Bad:erin",
        "unread: account 6: algorithm_unknown: Bad:frank",
    ],
)

# --- Bitwarden -------------------------------------------------------------------------------------------------------

LOGINS = [
    ("Example", "alice@example.com", b32(ALICE).lower(), "Work", True),
    ("My bank", "other", BOB_URI, "", False),
    ("Steam", "dave", f"steam://{b32(DAVE)}", "", False),
    ("No code", "erin", "", "", False),
    ("Bad, \"quoted\"", "frank", "not base32!", "", False),
    ("Box", "carol", f"otpauth://hotp/?secret={b32(CAROL)}&counter=7", "", False),
]
BITWARDEN_EXPECTED = [
    f'found: account 1: {ALICE_URI} group="Work" favourite',
    f'found: account 2: {BOB_URI} label="My bank"',
    f"found: account 3: {DAVE_URI}",
    f"found: account 6: {CAROL_URI}",
    'unread: account 5: secret_character: Bad, "quoted":frank',
]
items = [
    {
        "id": str(index), "folderId": "f1" if folder else None, "type": 1, "name": name, "notes": "not for us", "favorite": favourite,
        "login": {"uris": [{"uri": "https://example.com"}], "username": username, "password": "not for us", "totp": totp or None},
    }
    for index, (name, username, totp, folder, favourite) in enumerate(LOGINS)
]
items.append({"id": "card", "type": 3, "name": "A card", "card": {"number": "not for us"}})
sample(
    "bitwarden.json",
    pretty({"encrypted": False, "folders": [{"id": "f1", "name": "Work"}], "items": items}),
    "bitwarden_json",
    BITWARDEN_EXPECTED + ["without code: 2"],
)


def csv(value):
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"\n') else value


rows = ["folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp"]
for name, username, totp, folder, favourite in LOGINS:
    notes = 'two lines,\nand a "quote"'
    cells = [folder, "1" if favourite else "", "login", name, notes, "", "0", "https://example.com", username, "not for us", totp]
    rows.append(",".join(csv(cell) for cell in cells))
sample("bitwarden.csv", "\r\n".join(rows) + "\r\n", "bitwarden_csv", BITWARDEN_EXPECTED + ["without code: 1"])
