"""Models that a command line names: in the library, as a configuration, or as downloaded."""

from pathlib import Path

from attrs import evolve

from specc import library
from specc.cli.measured import WrongInputError
from specc.ir import Model


def model_of(text: str) -> Model:
    """Return the model of a configuration, or a known one.

    Raises:
        WrongInputError: there is none, or its configuration cannot be read.
    """
    find = library.model_from_config if text.endswith(".json") else library.model
    try:
        return find(text)
    except library.LibraryError as error:
        raise WrongInputError(error.diagnostic) from None


def named_model(text: str) -> Model:
    """Return the model of a folder as downloaded, of its configuration, or a known one.

    It is called as the folder or the file is.

    Raises:
        WrongInputError: as `model_of`.
    """
    folder = Path(text)
    if folder.is_dir():
        return evolve(model_of(str(folder / "config.json")), name=folder.resolve().name)
    found = model_of(text)
    return evolve(found, name=folder.stem) if text.endswith(".json") else found
