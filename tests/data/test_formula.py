"""The strict front door: formulas of cores, names of shells, whole samples."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import MAX_LENGTH
from perovshell.data.shells import shell_text
from perovshell.data.tables import bundled_rows, read_table
from perovshell.errors import FormulaError
from perovshell.remembered import MOST

HERE = Path(__file__).parent
SPELLINGS = read_table(HERE / "spellings.csv")[1]
MORE = read_table(HERE / "more_spellings.csv")[1]
SYSTEMS = read_table(HERE / "systems.csv")[1]
READER = FormulaReader.bundled()


def label(row):
    return f"{row['core']}+{row['shell']}"


def having(verdict, rows):
    return [pytest.param(row, id=label(row)) for row in rows if row["verdict"] == verdict]


def core_texts():
    """Return every text of the lists in which a core alone is meant."""
    return list(dict.fromkeys(row["core"] for row in SPELLINGS + MORE if row["shell"]))


def without_padding(batch, row):
    """Return the amounts of one row of a batch by symbol."""
    pairs = zip(batch.species[row], batch.amounts[row], strict=True)
    return {READER.species[index]: amount for index, amount in pairs if index >= 0}


def in_bulk(texts, reader=READER):
    """Read texts among so many others that arrays read them."""
    return reader.read_many([*texts, *["CsPbBr3"] * 40])


def verdict_of(read, *texts):
    try:
        read(*texts)
    except FormulaError:
        return "refused"
    return "ok"


@pytest.fixture
def reader():
    """Return a reader that has not read anything yet."""
    return FormulaReader.bundled()


# DomainFlags ------------------------------------------------------------------------------------


def test_lists_hold_both_verdicts():
    assert len(SPELLINGS) == 36
    assert len(MORE) >= 40
    assert {row["verdict"] for row in SPELLINGS + MORE} == {"ok", "refused"}


@pytest.mark.parametrize("row", having("ok", SPELLINGS + MORE))
def test_reads(reader, row):
    name = reader.read_sample(row["core"], row["shell"])
    assert name.core.amounts


@pytest.mark.parametrize("row", having("refused", SPELLINGS + MORE))
def test_refuses(reader, row):
    with pytest.raises(FormulaError):
        reader.read_sample(row["core"], row["shell"])


@pytest.mark.parametrize("row", having("ok", MORE))
def test_standard_spelling(reader, row):
    name = reader.read_sample(row["core"], row["shell"])
    assert (name.core.formula, name.shell) == (row["standard_core"], row["standard_shell"])


@pytest.mark.parametrize("row", having("refused", SPELLINGS + MORE))
def test_message_names_what_was_given(reader, row):
    with pytest.raises(FormulaError) as caught:
        reader.read_sample(row["core"], row["shell"])
    message = str(caught.value)
    pieces = [row["core"], row["shell"], *row["core"].split("@"), *row["shell"].split("|")]
    named = [piece for piece in pieces if piece and repr(piece) in message]
    missing = "no core given" in message or "''" in message
    assert named or missing


def test_verdicts_do_not_depend_on_what_was_read_before():
    rows = SPELLINGS + MORE
    used = FormulaReader.bundled()
    for row in rows:
        verdict_of(used.read_sample, row["core"], row["shell"])
    wrong = [
        label(row)
        for row in rows
        if verdict_of(used.read_sample, row["core"], row["shell"]) != row["verdict"]
    ]
    assert wrong == []


def test_leading_zero_is_refused_after_the_same_formula_was_read(reader):
    reader.read_core("CsPbBr3")
    with pytest.raises(FormulaError, match="'03' begins with 0"):
        reader.read_core("CsPbBr03")


@pytest.mark.parametrize(
    "text",
    ["CsPbBr3." + "0" * 300, "Cs" * 150, "CsPbBr" + "9" * 300],
    ids=["long-decimal", "long-letters", "long-number"],
)
def test_too_long_is_refused_whatever_was_read_before(reader, text):
    reader.read_core("CsPbBr3")
    with pytest.raises(FormulaError, match=f"at most {MAX_LENGTH}"):
        reader.read_core(text)


def test_too_long_shell_is_refused(reader):
    with pytest.raises(FormulaError, match=f"301 characters, at most {MAX_LENGTH}"):
        reader.read_shell("|".join(["SiO2"] * 60) + "|S")


@pytest.mark.parametrize(
    ("core", "shell", "words"),
    [
        ("CsPbBr", "SiO2", r"not neutral: net charge \+2.*nearest known: CsPbBr3"),
        ("CsPbX3", "SiO2", "'X' is no element and leaves the composition open"),
        ("CsPb(Br/I)3", "SiO2", "'/' leaves an amount open"),
        ("CsPbBr-3", "SiO2", "negative amount '-3'"),
        ("CsPb(Br0.6I0.4", "SiO2", r"bracket '\(' is not closed"),
        ("CsPbBr3Q2", "SiO2", "'Q' is neither an element nor a known ion"),
        ("=CsPbBr3", "SiO2", "like a spreadsheet formula"),
        ("PbBr2", "SiO2", "no A-site ion"),
        ("CsPbO3", "none", "no charge is known for 'O'"),
        ("CsBr", "none", "no B-site metal"),
        ("CsPb0Br2", "none", "amount 0 of Pb"),
        ("CsPb Br3", "none", "no part of a formula; write CsPbBr3"),
        ("CH3NH30.1Cs0.9PbBr3", "none", "unclear where CH3NH3 ends"),
        ("CsPbBr3", "", "no shell given; write 'none'"),
        ("", "SiO2", "no core given"),
        ("CsPbBr3", "SiO2||ZnS", "empty layer"),
        ("CsPbBr3", "none|SiO2", "'none' is not a layer"),
        ("CsPbBr3", "silicca", "nearest known: SiO2"),
        ("CsPbBr3", "P S", "nearest known: PS"),
    ],
)
def test_message_gives_the_reason(reader, core, shell, words):
    with pytest.raises(FormulaError, match=words):
        reader.read_sample(core, shell)


def test_known_cores_are_offered():
    offering = FormulaReader(READER.ions, READER.shells, ["FAPbI3"])
    with pytest.raises(FormulaError, match="nearest known: FAPbI3"):
        offering.read_core("FAPbI2")


# Meaning -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("FAPbBr3", {"FA": 1, "Pb": 1, "Br": 3}),
        ("BAPbBr3", {"BA": 1, "Pb": 1, "Br": 3}),
        ("Cs0.1FA0.9PbBr3", {"Cs": 0.1, "FA": 0.9, "Pb": 1, "Br": 3}),
        ("CsPb(Br0.6I0.4)3", {"Cs": 1, "Pb": 1, "Br": 1.8, "I": 1.2}),
        ("(FA0.83Cs0.17)Pb(I0.6Br0.4)3", {"Cs": 0.17, "FA": 0.83, "Pb": 1, "Br": 1.2, "I": 1.8}),
        ("Cs2AgInCl6", {"Cs": 2, "Ag": 1, "In": 1, "Cl": 6}),
        ("Cs3Bi2Br9", {"Cs": 3, "Bi": 2, "Br": 9}),
        ("Cs4PbBr6", {"Cs": 4, "Pb": 1, "Br": 6}),
        ("AuCu3", {"Au": 1, "Cu": 3}),
    ],
)
def test_amounts(reader, text, amounts):
    assert dict(reader.read_core(text).amounts) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CsPb(Br0.6I0.4)3", "CsPbBr1.8I1.2"),
        ("HC(NH2)2PbBr3", "FAPbBr3"),
        ("CH3NH3PbBr3", "MAPbBr3"),
        ("CsPbBr₃", "CsPbBr3"),
        ("Cs2Pb2Br6", "CsPbBr3"),
        ("Au50Cu50", "AuCu"),
    ],
)
def test_two_spellings_have_one_key(reader, one, other):
    assert reader.read_core(one).key == reader.read_core(other).key


def test_barium_and_butylammonium_differ(reader):
    barium, organic = reader.read_core("CsPb0.9Ba0.1Br3"), reader.read_core("Cs0.9BA0.1PbBr3")
    assert dict(barium.amounts)["Ba"] == dict(organic.amounts)["BA"] == pytest.approx(0.1)


def test_core_of_metals_is_marked(reader):
    assert reader.read_core("AuCu").is_metal
    assert not reader.read_core("CsPbCl3").is_metal


def test_site_fractions(reader):
    core = reader.read_core("Cs0.2FA0.8PbBr2I")
    assert core.site_fractions("A") == pytest.approx({"Cs": 0.2, "FA": 0.8})
    assert core.site_fractions("X") == pytest.approx({"Br": 2 / 3, "I": 1 / 3})


def test_metal_core_has_no_sites(reader):
    assert reader.read_core("AuCu").site_fractions("B") == {}


def test_atoms_of_organic_ions_are_counted(reader):
    atoms = reader.atoms(reader.read_core("FAPbBr3"))
    assert atoms == pytest.approx({"C": 1, "H": 5, "N": 2, "Pb": 1, "Br": 3})


@pytest.mark.parametrize(
    ("text", "kind", "in_water"),
    [("CsPbBr2Cl", "perovskite-like", "reacts"), ("CsBr", "halide", "")],
)
def test_unlisted_halide_shell(reader, text, kind, in_water):
    (layer,) = reader.read_shell(text)
    assert (layer.material_class, layer.in_water, layer.listed) == (kind, in_water, False)


def test_layers_keep_their_order(reader):
    assert [layer.name for layer in reader.read_shell("CdS|Al2O3")] == ["CdS", "Al2O3"]


def test_shell_text_of_no_layers_is_none():
    assert shell_text(()) == "none"


# The bulk path -------------------------------------------------------------------------------


def test_read_many_gives_the_same_verdicts(reader):
    texts = core_texts()
    refused = {text for text in texts if verdict_of(reader.read_core, text) == "refused"}
    batch = FormulaReader.bundled().read_many(texts)
    assert {texts[row] for row in batch.errors} == refused


def test_read_many_gives_the_same_messages(reader):
    batch = reader.read_many(core_texts())
    for row, error in batch.errors.items():
        with pytest.raises(FormulaError) as caught:
            reader.read_core(core_texts()[row])
        assert str(error) == str(caught.value)


@pytest.mark.parametrize(
    "text", [text for text in core_texts() if verdict_of(READER.read_core, text) == "ok"]
)
def test_read_many_gives_the_same_composition(text):
    core = READER.read_core(text)
    amounts = without_padding(in_bulk(["CsPbBr3", text]), 1)
    total, core_total = sum(amounts.values()), sum(dict(core.amounts).values())
    assert {symbol: amount / total for symbol, amount in amounts.items()} == pytest.approx(
        {symbol: amount / core_total for symbol, amount in core.amounts}
    )


def test_read_many_keeps_amounts_as_written(reader):
    batch = in_bulk(["Cs2Pb2Br6"], reader)
    assert without_padding(batch, 0) == pytest.approx({"Cs": 2, "Pb": 2, "Br": 6})


def test_read_many_leaves_faulty_rows_empty(reader):
    batch = in_bulk(["CsPbBr3", "CsPbBr", "CsPbI3"], reader)
    assert list(batch.errors) == [1]
    assert (batch.species[1] == -1).all()
    assert not np.any(batch.amounts[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "CsPbBr03",
        "AuCu" + "9" * 400,
        "AuCu1.2.3",
        "AuCu2.",
        "AuCu.5",
        "Au\nCu2",
        "AuCu\xff",
        "AuCu\udcff",
        "AuCu\0",
    ],
    ids=[
        "empty",
        "blank",
        "leading-zero",
        "too-long",
        "two-dots",
        "dot-last",
        "dot-first",
        "newline",
        "byte-ff",
        "surrogate",
        "null",
    ],
)
def test_read_many_refuses_after_good_rows(reader, text):
    batch = in_bulk(["CsPbBr3", "AuCu2", text], reader)
    assert list(batch.errors) == [2]


_PIECES = st.sampled_from(
    ["Cs", "FA", "CH3NH3", "Pb", "Sn", "Br", "I", "(", ")", "0", "1", "3", "0.5", ".", "00", "₃",
     " ", "\n", "x", "#", "Au"]
)  # fmt: skip


@given(st.lists(st.lists(_PIECES, max_size=8).map("".join), max_size=12))
def test_read_many_decides_as_read_core(texts):
    batch = in_bulk(["CsPbBr3", *texts, "Cs0.5FA0.5Pb(Br0.5I0.5)3"])
    for row, text in enumerate(texts, start=1):
        if verdict_of(READER.read_core, text) == "refused":
            assert str(batch.errors[row])
        else:
            core = dict(READER.read_core(text).amounts)
            amounts = without_padding(batch, row)
            scale = sum(amounts.values()) / sum(core.values())
            assert amounts == pytest.approx({key: scale * value for key, value in core.items()})
    assert without_padding(batch, len(texts) + 1)["FA"] == 0.5


def test_read_many_spans_blocks(reader):
    texts = [f"Cs{n / 10000:g}FA{1 - n / 10000:g}PbBr3" for n in range(1, 9999)]
    texts[5000] = "CsPbBr4"
    batch = reader.read_many(texts)
    assert list(batch.errors) == [5000]
    assert without_padding(batch, 9000)["Cs"] == pytest.approx(0.9001)


def test_a_few_formulas_are_read_as_many_are(reader):
    texts = core_texts()
    many = reader.read_many(texts)
    for row, text in enumerate(texts):
        one = reader.read_many([text])
        assert without_padding(one, 0) == without_padding(many, row)
        assert [str(error) for error in one.errors.values()] == [
            str(error) for place, error in many.errors.items() if place == row
        ]


def test_ions_stand_in_the_order_a_b_x(reader):
    for batch in (reader.read_many(["I3PbCs0.5FA0.5"]), in_bulk(["I3PbCs0.5FA0.5"], reader)):
        sites = [reader.ions.by_symbol[symbol].site for symbol in without_padding(batch, 0)]
        assert sites == ["A", "A", "B", "X"]


def test_read_many_of_nothing(reader):
    assert reader.read_many([]).errors == {}


# Names in use --------------------------------------------------------------------------------


def test_every_shell_of_the_dataset_is_known():
    shells = {row["shell"] for row in bundled_rows("literature", "samples.csv")}
    assert [text for text in shells if verdict_of(READER.read_shell, text) == "refused"] == []


def test_every_system_of_the_review_is_read():
    assert len(SYSTEMS) == 40
    failing = [
        label(row)
        for row in SYSTEMS
        if verdict_of(READER.read_sample, row["core"], row["shell"]) == "refused"
    ]
    assert failing == []


def test_every_layer_of_the_review_is_listed():
    layers = {
        layer for row in SYSTEMS for layer in READER.read_sample(row["core"], row["shell"]).layers
    }
    assert [layer.name for layer in layers if not layer.listed] == []


@pytest.mark.parametrize("row", SYSTEMS, ids=label)
def test_printed_sample_reads_as_itself(row):
    name = READER.read_sample(row["core"], row["shell"])
    assert READER.read_sample(name.core.formula, name.shell) == name


# Any text ------------------------------------------------------------------------------------


def decimals(low, high):
    """Numbers of up to three digits after the point."""
    return st.integers(int(low * 1000), int(high * 1000)).map(lambda number: number / 1000)


@st.composite
def parts_of(draw, ions, total):
    """Split a total into amounts of some of the ions, in thousandths."""
    chosen = draw(st.permutations(ions))[: draw(st.integers(1, len(ions)))]
    whole = total * 1000
    cuts = sorted(
        draw(st.sets(st.integers(1, whole - 1), min_size=len(chosen) - 1, max_size=len(chosen) - 1))
    )
    edges = [0, *cuts, whole]
    return [
        (ion, (right - left) / 1000)
        for ion, left, right in zip(chosen, edges, edges[1:], strict=False)
    ]


def written(symbol, amount):
    return symbol if amount == 1 else f"{symbol}{amount:.3f}".rstrip("0").rstrip(".")


@st.composite
def neutral_cores(draw):
    """Groups of ions that make up a neutral ABX3, with or without brackets."""
    a_site = draw(parts_of(("Cs", "FA", "MA", "Rb"), 1))
    b_site = draw(parts_of(("Pb", "Sn", "Ge", "Mn"), 1))
    in_bracket = draw(st.booleans())
    x_site = draw(parts_of(("Cl", "Br", "I"), 1 if in_bracket else 3))
    # FA behind I is IFA to a reader: organic ions stand in brackets here.
    organic = {"FA": "(FA)", "MA": "(MA)"}
    a_site = [(organic.get(symbol, symbol), amount) for symbol, amount in a_site]
    groups = [[written(*pair) for pair in site] for site in (a_site, b_site)]
    halides = [written(*pair) for pair in x_site]
    groups.append([f"({''.join(halides)})3"] if in_bracket else halides)
    if draw(st.booleans()):
        groups[0] = [f"[{''.join(groups[0])}]"]
    return [piece for group in groups for piece in group]


@given(neutral_cores())
def test_random_core_is_read(pieces):
    core = READER.read_core("".join(pieces))
    assert sum(amount for _, amount in core.amounts) == pytest.approx(5)


@given(neutral_cores())
def test_random_core_survives_printing(pieces):
    core = READER.read_core("".join(pieces))
    assert READER.read_core(core.formula).key == core.key


@given(neutral_cores(), st.randoms(use_true_random=False))
def test_order_of_ions_does_not_matter(pieces, random):
    scrambled = random.sample(pieces, len(pieces))
    assert READER.read_core("".join(scrambled)).key == READER.read_core("".join(pieces)).key


@given(st.lists(neutral_cores(), max_size=5))
def test_bulk_path_reads_random_cores(cores):
    texts = ["".join(pieces) for pieces in cores]
    batch = in_bulk(texts)
    assert batch.errors == {}
    for row, text in enumerate(texts):
        assert without_padding(batch, row) == pytest.approx(dict(READER.read_core(text).amounts))


FORMULA_SIGNS = st.sampled_from(
    ["Cs", "FA", "MA", "Pb", "Sn", "Au", "Cu", "Br", "I", "Cl", "CH3NH3", "HC(NH2)2", "CH6N",
     "(", ")", "[", "]", "0", "1", "2", "3", ".", "0.5", "00", "e", "x", "-", "+", "=", " ",
     "@", "/", "|", "₃", "³", "٣", "SiO2", "none", "\n", "\x00"]
)  # fmt: skip
NEAR_FORMULAS = st.lists(FORMULA_SIGNS, max_size=12).map("".join)
TEXTS = st.text(max_size=260) | NEAR_FORMULAS


@given(TEXTS, TEXTS)
@example("CsPbBr3", "İ")
@example("", "")
def test_any_sample_is_read_or_refused(core, shell):
    assert verdict_of(READER.read_sample, core, shell) in {"ok", "refused"}


@given(st.lists(TEXTS, max_size=6))
@example([""])
@example(["AuCu", "AuCu" + "9" * 400])
def test_bulk_path_agrees_on_any_texts(texts):
    refused = {row for row, text in enumerate(texts) if verdict_of(READER.read_core, text) != "ok"}
    assert set(in_bulk(texts).errors) == refused
    assert set(READER.read_many(texts).errors) == refused


AMOUNTS = st.sampled_from(["", "2", "3", "0.5", "0.001", "0.000001", "0.0123456", "2.9999"])


@given(
    st.lists(st.tuples(st.sampled_from(["Cs", "MA", "Pb", "Bi", "Br", "I"]), AMOUNTS), max_size=5)
)
@example([("Cs", ""), ("Pb", ""), ("Mn", "0.000001"), ("Br", "3")])
@example([("Cs", "3"), ("Pb", "3"), ("Br", "8"), ("I", "")])
@example([("Au", ""), ("Cu", "3")])
def test_what_is_read_and_printed_reads_again_equal(pairs):
    text = "".join(symbol + amount for symbol, amount in pairs)
    if verdict_of(READER.read_core, text) == "ok":
        core = READER.read_core(text)
        assert READER.read_core(core.formula).key == core.key


@given(decimals(0.001, 0.999))
def test_fractions_of_two_halides_add_up(fraction):
    core = READER.read_core(f"CsPb(Br{fraction}I{1 - fraction:.3f})3")
    assert core.site_fractions("X")["Br"] == pytest.approx(fraction)


def test_a_whole_name_beside_a_shell_is_explained(reader):
    with pytest.raises(FormulaError, match="two materials; write core CsPbBr3 and shell SiO2"):
        reader.read_sample("CsPbBr3@SiO2", "SiO2")


def test_a_whole_sample_is_read_up_to_its_length_and_refused_beyond() -> None:
    core, shell = "C" * 200, "S" * 200
    assert READER.split_whole(f"{core}@{shell}") == (core, shell)
    with pytest.raises(FormulaError, match="402 characters, at most 200 are read"):
        READER.split_whole(f"{core}@{shell}S")


def test_no_more_shapes_of_formulas_are_remembered_than_a_limit() -> None:
    own = FormulaReader.bundled()
    by_site = {
        site: [ion.symbol for ion in own.ions.by_symbol.values() if ion.site == site]
        for site in ("A", "B", "X")
    }
    texts = [
        f"({a})({b})({one})2({other})"
        for a in by_site["A"][:12]
        for b in by_site["B"][:12]
        for one in by_site["X"][:5]
        for other in by_site["X"][:5]
    ]
    assert len(set(texts)) > MOST
    batch = own.read_many(texts)
    assert len(own._templates) <= MOST
    assert sum(row not in batch.errors for row in range(len(texts))) > 100
    few = [own.read_many([text]) for text in texts[:100]]
    assert [0 in one.errors for one in few] == [row in batch.errors for row in range(100)]
