"""What every test stands on: private directories, a clean environment, an empty working directory.

Nothing a test does reaches the user's own Jupyter and IPython folders, and no key or setting of the user
reaches a test. Kernels that tests start inherit all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.leftovers import nothing_left

PRIVATE = (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
"""Folders that get a temporary place of their own."""

STRIPPED = (
    "AI_GATEWAY_",
    "ANTHROPIC_",
    "AZURE_OPENAI_",
    "DEEPSEEK_",
    "GEMINI_",
    "GOOGLE_API_KEY",
    "GROQ_",
    "HF_TOKEN",
    "JPY_",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PATH",
    "LITELLM_",
    "LLAMA_API_KEY",
    "LLM_",
    "MISTRAL_",
    "OLLAMA_",
    "OPENAI_",
    "OPENROUTER_",
    "PORTKEY_",
    "RLM_",
    "TOGETHER_",
    "VERCEL_OIDC_TOKEN",
    "VLLM_API_KEY",
    "XAI_",
)
"""Beginnings of the variables that no test may see."""


@pytest.fixture(scope="session", autouse=True)
def private_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the session its own Jupyter and IPython folders; the value is their parent."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(STRIPPED)]:
            patch.delenv(name)
        for name in PRIVATE:
            folder = home / name.lower()
            folder.mkdir()
            patch.setenv(name, str(folder))
        yield home


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder of its own, so that `.rlm` and other traces land there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """Fail the test if this process has more children, threads or descriptors after it than before."""
    with nothing_left():
        yield
