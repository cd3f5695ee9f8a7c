"""What engines do by default, as their sources say; versions in between count as the older one."""

import pytest

from specc.engines import ENGINES, VersionError, release_of, rules_of
from specc.ir import Admission, Software

GIB = 2**30
WHOLE, FIRST = Admission.WHOLE_PROMPT, Admission.FIRST_CHUNK


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.9", "0.18"),
        ("0.18", "0.18.1"),
        ("v0.18.0", "0.19.0rc1"),
        ("0.8.5.post1", "0.9.0.1"),
        ("2.0.T3", "2.1.RC1"),
        ("0.5.9", "0.5.10"),
        ("1", "10"),
    ],
)
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert release_of(older) < release_of(newer)


@pytest.mark.parametrize("text", ["0.18", "0.18.0", "v0.18", "V0.18.0", "0.18.0rc1", "0.18-post1"])
def test_a_version_has_several_spellings(text: str) -> None:
    assert release_of(text) == (0, 18)


@pytest.mark.parametrize(
    "text",
    ["", "latest", ".1", "1.", "0..1", "0.18 ", "0,18", "rc1", "1.2\n", "1" + 99 * "a" + "!"],
)
def test_other_texts_are_no_versions(text: str) -> None:
    with pytest.raises(VersionError):
        release_of(text)


# vllm config/scheduler.py and engine/arg_utils.py of each wheel: scheduler_reserve_full_isl,
# enable_prefix_caching, async_scheduling, max_num_batched_tokens and max_num_seqs of the API server
# on a device of 80 GiB that is no A100.
VLLM = [
    ("0.6.6", WHOLE, False, False, None, 256),
    ("0.7.3", WHOLE, False, False, None, 256),
    ("0.8.0", FIRST, True, False, 8192, 1024),
    ("0.8.5", FIRST, True, False, 8192, 1024),
    ("0.11.0", FIRST, True, False, 8192, 1024),
    ("0.13.0", FIRST, True, False, 8192, 1024),
    ("0.14.0", FIRST, True, True, 8192, 1024),
    ("0.18.0", FIRST, True, True, 8192, 1024),
    ("0.19.0", WHOLE, True, True, 8192, 1024),
    ("0.33.0", WHOLE, True, True, 8192, 1024),
]


@pytest.mark.parametrize(("version", "admission", "caching", "overlaps", "budget", "most"), VLLM)
def test_vllm(version, admission, caching, overlaps, budget, most) -> None:
    rules = rules_of(Software.VLLM, version, 80 * GIB)
    assert (rules.version, rules.note) == (version, "")
    assert (rules.admission, rules.prefix_caching) == (admission, caching)
    assert rules.async_scheduling is overlaps
    assert (rules.chunk_budget, rules.max_sequences) == (budget, most)


@pytest.mark.parametrize(
    ("version", "memory", "budget", "most"),
    [
        # vllm 0.8.0: max_num_seqs = 1024 on every device.
        ("0.8.0", 64 * GIB, 2048, 1024),
        # vllm 0.27.0 has no class of 160 GiB, 0.28.0 has.
        ("0.27.0", 160 * GIB, 8192, 1024),
        ("0.28.0", 160 * GIB, 16384, 1024),
        ("0.33.0", 160 * GIB - 1, 8192, 1024),
        ("0.33.0", 70 * GIB, 8192, 1024),
        ("0.33.0", 70 * GIB - 1, 2048, 256),
        ("0.33.0", 80 * 10**9, 8192, 1024),  # an H100
        ("0.33.0", 1, 2048, 256),
    ],
)
def test_classes_of_devices_of_vllm(version: str, memory: int, budget: int, most: int) -> None:
    rules = rules_of(Software.VLLM, version, memory)
    assert (rules.chunk_budget, rules.max_sequences) == (budget, most)


@pytest.mark.parametrize("memory", [32 * GIB, 64 * GIB, 112 * GIB, 256 * GIB])
@pytest.mark.parametrize("version", ["0.11.0", "0.18.0", "0.19.1rc1", ""])
def test_npus_get_the_smallest_class_of_vllm(version: str, memory: int) -> None:
    """vllm_ascend/platform.py does not say how much memory there is, so vLLM takes it for 0."""
    rules = rules_of(Software.VLLM_ASCEND, version, memory)
    assert (rules.chunk_budget, rules.max_sequences) == (2048, 256)


@pytest.mark.parametrize(
    ("version", "read", "admission", "overlaps"),
    [
        ("0.13.0", "0.13.0", FIRST, False),
        ("0.14", "0.14.0rc1", FIRST, True),
        ("v0.18.0", "0.18.0", FIRST, True),
        ("0.19.1", "0.19.1rc1", WHOLE, True),
        ("0.22.1rc1", "0.19.1rc1", WHOLE, True),
        ("0.23.0.post1", "0.23.0", WHOLE, True),
    ],
)
def test_the_plugin_schedules_as_the_vllm_of_its_version(
    version: str, read: str, admission: Admission, overlaps: bool
) -> None:
    rules = rules_of(Software.VLLM_ASCEND, version)
    assert (rules.version, rules.admission) == (read, admission)
    assert (rules.prefix_caching, rules.async_scheduling) == (True, overlaps)


def test_mindie() -> None:
    """Its config.json: maxPrefillTokens 8192, maxBatchSize 200; caching is a plugin."""
    rules = rules_of(Software.MINDIE, "", 64 * GIB)
    assert (rules.admission, rules.prefix_caching, rules.async_scheduling) == (WHOLE, False, False)
    assert (rules.chunk_budget, rules.max_sequences) == (8192, 200)


@pytest.mark.parametrize(
    ("version", "memory", "budget", "overlaps"),
    [
        ("0.3.5", 64, 8192, False),  # --enable-overlap-schedule
        ("0.3.6", 64, 8192, True),  # --disable-overlap-schedule
        ("0.4.6", 24, 2048, True),
        ("0.5.2", 32, 2048, True),
        ("0.5.3", 40, 4096, True),
        ("0.5.6", 64, 32768, True),
        ("0.5.7", 32, 4096, True),
        ("0.5.23", 64, 8192, True),
        ("0.5.23", 112, 8192, True),
        ("0.5.23", 160, 16384, True),
    ],
)
def test_sglang(version: str, memory: int, budget: int, overlaps: bool) -> None:
    rules = rules_of(Software.SGLANG, version, memory * GIB)
    assert (rules.chunk_budget, rules.max_sequences) == (budget, None)
    assert (rules.admission, rules.prefix_caching) == (WHOLE, True)
    assert rules.async_scheduling is overlaps


def test_what_is_not_known_is_as_in_the_newest_vllm() -> None:
    recipes = rules_of(Software.CANN_RECIPES, "8.5", 64 * GIB)
    newest = rules_of(None, "", 64 * GIB)
    for rules in (recipes, newest):
        assert (rules.admission, rules.prefix_caching, rules.async_scheduling) == (
            WHOLE,
            True,
            True,
        )
        assert (rules.chunk_budget, rules.max_sequences) == (None, None)
    assert recipes.name == "cann_recipes"
    assert recipes.note == "no version of cann_recipes is known by its rules, so 8.5 is ignored"
    assert newest.version == "0.33.0"
    assert newest.note == ""


@pytest.mark.parametrize(
    ("version", "read", "note"),
    [
        ("", "0.33.0", ""),
        ("0.33", "0.33.0", ""),
        ("0.34.1", "0.33.0", "vllm 0.34.1 is not known; 0.33.0, the nearest older one, counts"),
        ("0.17.1", "0.14.0", "vllm 0.17.1 is not known; 0.14.0, the nearest older one, counts"),
        ("0.18.1", "0.18.0", "vllm 0.18.1 is not known; 0.18.0, the nearest older one, counts"),
        ("0.5", "0.6.6", "vllm 0.5 is older than all that is known; 0.6.6 counts"),
    ],
)
def test_of_a_version_that_is_not_known_the_nearest_older_one_counts(
    version: str, read: str, note: str
) -> None:
    rules = rules_of(Software.VLLM, version)
    assert (rules.version, rules.note, rules.name) == (read, note, f"vllm {read}")


def test_the_registry_has_every_software_once_in_order() -> None:
    assert [engine.software for engine in ENGINES] == list(Software)


def test_tables_rise_and_every_fact_has_a_source() -> None:
    for engine in ENGINES:
        read = [release_of(version) for row in engine.versions for version in row.read]
        assert read == sorted(set(read))
        for row in engine.versions:
            for fact in (row.admission, row.prefix_caching, row.async_scheduling, row.batch):
                assert fact.source
                assert not fact.source.endswith(".")
            bounds = [each.at_least for each in row.batch.value or ()]
            assert bounds == sorted(set(bounds))
            assert not bounds or bounds[0] == 0


def test_a_source_names_package_version_and_file() -> None:
    sources = rules_of(Software.VLLM, "0.20").sources
    assert sources["admission"].startswith("vllm 0.20.0, config/scheduler.py: ")
    assert sources["chunk_budget"].startswith(
        "vllm 0.20.0, engine/arg_utils.py, get_batch_defaults"
    )
