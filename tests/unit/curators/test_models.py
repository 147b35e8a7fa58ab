import hashlib

import pytest

from auricle.curators.models import package_file, session, weights_sha256
from auricle.schemas.errors import MissingExtraError, WeightsError


def test_a_packaged_model_is_found_and_hashed():
    path = package_file("silero_vad", "data", "silero_vad_16k_sequence.onnx")
    assert weights_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_session_is_loaded_once():
    path = package_file("silero_vad", "data", "silero_vad_16k_sequence.onnx")
    assert session(path) is session(path)


def test_an_absent_package_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"auricle\[curate\]"):
        package_file("no_such_package_here", "x.onnx")


def test_a_package_without_the_file_says_so():
    with pytest.raises(WeightsError, match=r"no file data/none\.onnx"):
        package_file("silero_vad", "data", "none.onnx")


def test_a_tensor_that_the_graph_lacks_is_named():
    with pytest.raises(WeightsError, match=r"silero_vad_16k_sequence\.onnx cannot be opened.*no such tensor"):
        session(package_file("silero_vad", "data", "silero_vad_16k_sequence.onnx"), ("no such tensor",))
