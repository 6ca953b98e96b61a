"""Writes the image that a description names to stdout as a docker archive. Argument: the description."""
import hashlib
import io
import json
import os
import sys
import tarfile
from datetime import datetime, timezone


class Measure(io.RawIOBase):
    """Counts and hashes what is written to it."""

    def __init__(self):
        self.size = 0
        self.hash = hashlib.sha256()

    def writable(self):
        return True

    def write(self, data):
        self.size += len(data)
        self.hash.update(data)
        return len(data)


def moment(text):
    return datetime.now(tz=timezone.utc) if text == "now" else datetime.fromisoformat(text)


def walk(path):
    """The path and all below it, depth first, in the order of code points."""
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, name))


def write_store_layer(conf, paths, output):
    mtime = int(moment(conf["mtime"]).timestamp())

    def own(member):
        member.mtime = mtime
        member.uid, member.gid = int(conf["uid"]), int(conf["gid"])
        member.uname, member.gname = conf["uname"], conf["gname"]
        return member

    with tarfile.open(fileobj=output, mode="w|") as tar:
        parent = ""
        for part in conf["store_dir"].strip("/").split("/"):
            parent += "/" + part
            folder = tarfile.TarInfo(parent)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(own(folder))
        for path in (each for top in paths for each in walk(top)):
            member = own(tar.gettarinfo(path))
            # A leading slash is kept, and hard links become files.
            member.name = path
            if member.islnk():
                member.type, member.size = tarfile.REGTYPE, os.path.getsize(path)
            if member.isreg():
                with open(path, "rb") as file:
                    tar.addfile(member, file)
            else:
                tar.addfile(member)


def copy_file(path, output):
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            output.write(chunk)


def add(output, name, size, mtime, write):
    member = tarfile.TarInfo(name)
    member.size, member.mtime = size, mtime
    output.write(member.tobuf())
    write(output)
    output.write(bytes(-size % tarfile.BLOCKSIZE))


def add_layer(output, mtime, write):
    """Adds what `write` writes, which it does twice: size and name are known only after the first time."""
    measure = Measure()
    write(measure)
    digest = measure.hash.hexdigest()
    add(output, f"{digest}/layer.tar", measure.size, mtime, write)
    return digest


def main(path):
    with open(path) as file:
        conf = json.load(file)
    if conf["from_image"] is not None:
        sys.exit("base images are not known here")
    created = moment(conf["created"])
    mtime = int(moment(conf["mtime"]).timestamp())

    output = sys.stdout.buffer
    digests, history = [], []
    for number, paths in enumerate(conf["store_layers"], 1):
        print(f"Layer {number}: {len(paths)} store paths", file=sys.stderr)
        digests.append(add_layer(output, mtime, lambda to: write_store_layer(conf, paths, to)))
        history.append({"created": created.isoformat(), "comment": f"store paths: {paths}"})

    top = conf["customisation_layer"]
    print("Customisation layer", file=sys.stderr)
    digests.append(add_layer(output, mtime, lambda to: copy_file(f"{top}/layer.tar", to)))
    history.append({"created": created.isoformat(), "comment": f"store paths: {[top]}"})

    image = {
        "created": created.isoformat(),
        "architecture": conf["architecture"],
        "os": conf["os"],
        "config": conf["config"],
        "rootfs": {"diff_ids": [f"sha256:{digest}" for digest in digests], "type": "layers"},
        "history": history,
    }
    config = json.dumps(image, indent=4).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    layers = [f"{digest}/layer.tar" for digest in digests]
    manifest = json.dumps([{"Config": name, "RepoTags": [conf["repo_tag"]], "Layers": layers}]).encode()
    add(output, name, len(config), mtime, lambda to: to.write(config))
    add(output, "manifest.json", len(manifest), mtime, lambda to: to.write(manifest))
    output.write(bytes(2 * tarfile.BLOCKSIZE))


main(sys.argv[1])
