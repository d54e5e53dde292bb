"""A storage without folders, for tests of what reads `gs://` and the like."""

import os

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem


class Bucket(LocalFileSystem):
    """A storage without folders, as object stores are: bucket:///x is the local file /x."""

    @classmethod
    def scheme(cls):
        return "bucket"

    def has_dirs(self):
        return False

    def exists(self, path):
        return os.path.isfile(_local(path))

    def metadata(self, path):
        found = super().metadata(_local(path))
        found.path = path
        return found

    def _list(self, prefix):
        for folder, _, names in os.walk(os.path.dirname(_local(prefix))):
            for name in names:
                path = os.path.join(folder, name)
                if path.startswith(_local(prefix)):
                    yield FileMetadata("bucket://" + path, os.path.getsize(path))

    def _path_open(self, path, mode, *args, **kwargs):
        return super()._path_open(_local(path), mode, *args, **kwargs)


def _local(path):
    return path.removeprefix("bucket://")
