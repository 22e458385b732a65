"""Builds the Python package (PEP 517) with nothing but Python and CMake: `pip install .` needs no network.

The package is Python over the library planner_c, which lies beside it in the wheel. PLANNER_LIBRARY names one that is built already.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pathlib
import re
import subprocess
import sysconfig
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "libplanner" / "python" / "planner"
VERSION = re.search(r"project\(planner VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
METADATA = f"""Metadata-Version: 2.1
Name: planner
Version: {VERSION}
Summary: Does this language model fit on that hardware, how fast will it be, what should I buy
License: MIT
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{(ROOT / "README.md").read_text()}"""


def _library() -> pathlib.Path:
    if os.environ.get("PLANNER_LIBRARY"):
        return pathlib.Path(os.environ["PLANNER_LIBRARY"]).resolve()
    build = ROOT / "build" / "python"
    options = ["-DCMAKE_BUILD_TYPE=Release", *(f"-DPLANNER_BUILD_{part}=OFF" for part in ("CLI", "TESTS", "BENCH", "RUNTIME", "GUI"))]
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(build), *options], check=True)
    subprocess.run(["cmake", "--build", str(build), "--target", "planner_c", "--parallel"], check=True)
    return next(path for path in sorted((build / "lib").glob("*planner_c.*")) if path.suffix in (".so", ".dylib", ".dll")).resolve()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    tag = "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())
    library = _library()
    suffix = next(s for s in (".so", ".dylib", ".dll") if s in library.name)
    info = f"planner-{VERSION}.dist-info"
    files = {f"planner/{path.name}": path.read_bytes() for path in sorted(PACKAGE.iterdir()) if path.is_file()}
    files[f"planner/libplanner_c{suffix}"] = library.read_bytes()
    files[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[f"{info}/METADATA"] = METADATA.encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: planner_build\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"planner-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return name


def build_sdist(sdist_directory, config_settings=None):
    base = f"planner-{VERSION}"
    parts = ["CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "pyproject.toml", "cmake", "data", "libplanner"]
    with tarfile.open(pathlib.Path(sdist_directory) / f"{base}.tar.gz", "w:gz") as archive:
        for part in parts:
            archive.add(ROOT / part, f"{base}/{part}", filter=lambda entry: None if "__pycache__" in entry.name else entry)
        data = METADATA.encode()
        info = tarfile.TarInfo(f"{base}/PKG-INFO")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{base}.tar.gz"
