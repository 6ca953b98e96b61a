"""Makes the top layer, which holds what is not in the store: users, and folders that can be written."""
import hashlib
import io
import os
import tarfile

folders = [("etc", 0o755, 0), ("data", 0o755, 999), ("tmp", 0o1777, 0)]
files = [
    ("etc/passwd", b"root:x:0:0::/:/bin/sh\nredis:x:999:999::/data:/bin/sh\n"),
    ("etc/group", b"root:x:0:\nredis:x:999:\n"),
]

os.mkdir(os.environ["out"])
path = os.path.join(os.environ["out"], "layer.tar")
with tarfile.open(path, "w") as tar:
    for name, mode, owner in folders:
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode, 1
        member.uid = member.gid = owner
        tar.addfile(member)
    for name, data in files:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(data), 0o644, 1
        tar.addfile(member, io.BytesIO(data))

with open(path, "rb") as layer:
    checksum = hashlib.sha256(layer.read()).hexdigest()
with open(os.path.join(os.environ["out"], "checksum"), "w") as file:
    file.write(checksum)
