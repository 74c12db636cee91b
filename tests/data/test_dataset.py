"""The bundled dataset: its counts, groups, content hash; tables and reference tables."""

import csv
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.data.columns import SAMPLES
from perovshell.data.dataset import COLLECTIONS, Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import Ions
from perovshell.data.records import Measurement
from perovshell.data.shells import NONE, WATER_WORDS, Shells
from perovshell.data.tables import bundled, bundled_rows, read_table
from perovshell.data.validation import check_samples
from perovshell.errors import InputError

TABLES = ("papers.csv", "samples.csv", "stability.csv")
SYNTHESES = Path(__file__).with_name("synthesizer.csv")
"""289 syntheses of one paper, with the columns of samples.csv that they need."""


@pytest.fixture
def copied(tmp_path):
    """Return a folder with a copy of the bundled tables."""
    for name in TABLES:
        (tmp_path / name).write_bytes(bundled("literature", name).read_bytes())
    return tmp_path


def rewrite(folder, name, change):
    """Write a table anew after a change of its header and rows."""
    header, rows = read_table(folder / name)
    header, rows = change(header, rows)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


def sides_with_a_duration(dataset):
    """Return (test, side) for each observation of a lifetime."""
    return [
        (test, side)
        for test in dataset.tests
        for side in ("coated", "bare")
        if not math.isnan(getattr(test, side).duration_h)
    ]


# Counts --------------------------------------------------------------------------------------


def test_rows(dataset):
    assert dataset.counts == {"papers": 307, "samples": 505, "stability_tests": 163}


def test_two_sided_tests(dataset):
    two_sided = [test for test in dataset.tests if test.is_two_sided]
    assert len(two_sided) == 41
    assert len({test.sample.paper_id for test in two_sided}) == 22


def test_experiments_with_both_sides(dataset):
    assert len({test.experiment for test in dataset.tests if test.is_two_sided}) == 34


def test_experiments(dataset):
    assert len({test.experiment for test in dataset.tests}) == 151


def test_observations_of_a_lifetime(dataset):
    observed = sides_with_a_duration(dataset)
    assert len(observed) == 198
    assert len({test.sample.paper_id for test, _ in observed}) == 82


def test_observations_after_merging_shared_groups(dataset):
    merged = {(test.experiment, side) for test, side in sides_with_a_duration(dataset)}
    assert len(merged) == 183


def test_stated_conditions(dataset):
    stated = Counter(
        name
        for test in dataset.tests
        for name, value in test.conditions.items()
        if not math.isnan(value)
    )
    assert stated == {"temperature_c": 26, "humidity_percent": 9, "irradiance_mw_cm2": 13}


def test_papers_with_a_doi(dataset):
    papers = dataset.papers.values()
    assert sum(bool(paper.doi) for paper in papers) == 215
    assert sum(bool(paper.via_doi) for paper in papers) == 90
    assert sum(paper.year is None for paper in papers) == 93


def test_open_compositions(dataset):
    open_cores = Counter(s.core_text for s in dataset.samples.values() if s.core is None)
    assert (len(open_cores), open_cores.total()) == (19, 41)
    assert open_cores.keys() > {"CsPbMnX3", "APbX3", "CsPbX3", "CsPb(Br/I)3", "CsxRb1-xPbX3"}


def test_papers_of_each_round(dataset):
    rounds = Counter(paper.round for paper in dataset.papers.values())
    assert rounds == {1: 189, 2: 118}
    first = [p.paper_id for p in dataset.papers.values() if p.round == 1]
    assert {"hu2018", "li2018"} <= dataset.subset(first).papers.keys()


def test_a_paper_of_a_workspace_has_no_round(dataset):
    entry = dataset.entry("hu2018")
    corrected = replace(entry, paper=entry.paper | {"round": ""})
    assert dataset.with_papers([corrected]).papers["hu2018"].round is None


def test_a_verbal_statement_has_no_percent(dataset):
    verbal = [test for test in dataset.tests if test.quality == "verbal"]
    assert len(verbal) == 47
    for test in verbal:
        for side in (test.coated, test.bare):
            assert side.measure == "time to failure"
            assert math.isnan(side.percent)


# Contents ------------------------------------------------------------------------------------


def test_every_gain_may_be_above_1(dataset):
    gains = {test.number: test.gain() for test in dataset.tests if test.is_two_sided}
    assert [number for number, gain in gains.items() if gain.high <= 1] == []


def test_a_shared_group_never_spans_two_papers(copied):
    # Each paper names its groups for itself: "water" of two papers is two experiments.
    def change(header, rows):
        return header, [row | {"shared_group": "water"} for row in rows]

    rewrite(copied, "stability.csv", change)
    tests = Dataset.from_folder(copied).tests
    assert len({test.experiment for test in tests}) == len({t.sample.paper_id for t in tests}) > 1


def test_uncoated_sample_is_of_the_same_paper(dataset):
    named = [s for s in dataset.samples.values() if s.bare_sample_id]
    assert named
    for sample in named:
        bare = dataset.samples[sample.bare_sample_id]
        assert (bare.is_bare, bare.paper_id) == (True, sample.paper_id)


@pytest.mark.parametrize(
    ("sample_id", "trains_pl", "trains_plqy"),
    [
        pytest.param("hu2018-CsPbBr3-SiO2", True, True, id="peak-and-plqy"),
        pytest.param("li2018-CsPbBr3-TiO2", True, False, id="no-plqy"),
        pytest.param("review2021_ref27-CsPbMnX3-SiO2", False, True, id="open-core"),
        pytest.param("cheng2020-CsPbCl3Mn-bare", False, False, id="dopant"),
        pytest.param("bpnc2023-CsPbBr3-CsPbI3", False, False, id="emission-of-the-shell"),
    ],
)
def test_what_a_sample_trains(dataset, sample_id, trains_pl, trains_plqy):
    sample = dataset.samples[sample_id]
    assert (sample.trains_pl, sample.trains_plqy) == (trains_pl, trains_plqy)


def test_label_is_the_doi_where_it_is_known(dataset):
    assert dataset.papers["hu2018"].label == "10.1021/jacs.7b11003"
    assert dataset.papers["review2021_ref33"].label == "review2021_ref33"


def test_known_cores_are_standard_formulas(dataset):
    reread = [dataset.reader.read_core(text).formula for text in dataset.known_cores]
    assert reread == list(dataset.known_cores)


def test_known_cores_stand_once(dataset):
    assert len(set(dataset.known_cores)) == len(dataset.known_cores)


# Groups --------------------------------------------------------------------------------------


def test_collection_is_one_group(dataset):
    collected = [name for name in dataset.papers if dataset.in_collection(name)]
    assert len(collected) == 56
    assert {dataset.group_of(name) for name in collected} == set(COLLECTIONS.values())


def test_collection_holds_55_second_hand_rows(dataset):
    # One further paper of the collection, zhang2018, was also read in its own abstract.
    rows = [s for s in dataset.samples.values() if dataset.in_collection(s.paper_id)]
    printed = [
        s for s in rows if "printed" in {n.quality for n in (s.pl_peak, s.plqy) if n.is_given}
    ]
    assert (len(rows) - len(printed), {s.paper_id for s in printed}) == (55, {"zhang2018"})


def test_papers_read_in_a_review_are_groups_of_their_own(dataset):
    reviewed = [p.paper_id for p in dataset.papers.values() if p.via_doi == "10.1039/d1nr05478c"]
    assert len(reviewed) == 14
    assert [dataset.group_of(name) for name in reviewed] == reviewed


# Content hash --------------------------------------------------------------------------------


def test_hash_is_sha256_in_hexadecimal(dataset):
    assert len(dataset.content_hash) == 64
    assert int(dataset.content_hash, 16)


def test_hash_is_the_same_each_time(dataset):
    assert Dataset.bundled().content_hash == dataset.content_hash


def test_hash_does_not_depend_on_the_place(dataset, copied):
    assert Dataset.from_folder(copied).content_hash == dataset.content_hash


@pytest.mark.parametrize("name", TABLES)
def test_hash_does_not_depend_on_the_order_of_rows(dataset, copied, name):
    rewrite(copied, name, lambda header, rows: (header, rows[::-1]))
    assert Dataset.from_folder(copied).content_hash == dataset.content_hash


@pytest.mark.parametrize("name", TABLES)
def test_hash_does_not_depend_on_the_order_of_columns(dataset, copied, name):
    rewrite(copied, name, lambda header, rows: (header[::-1], rows))
    assert Dataset.from_folder(copied).content_hash == dataset.content_hash


@pytest.mark.parametrize(
    ("name", "column", "text"),
    [
        ("papers.csv", "title", "Another title"),
        ("samples.csv", "note", "another note"),
        ("samples.csv", "fwhm_nm", "33.3"),
        ("stability.csv", "temperature_c", "33.3"),
    ],
)
def test_hash_changes_with_a_cell(dataset, copied, name, column, text):
    def change(header, rows):
        rows[0][column] = text
        return header, rows

    rewrite(copied, name, change)
    assert Dataset.from_folder(copied).content_hash != dataset.content_hash


@pytest.mark.parametrize("name", ["samples.csv", "stability.csv"])
def test_hash_changes_with_a_row_less(dataset, copied, name):
    tested = {row["sample_id"] for row in bundled_rows("literature", "stability.csv")}
    needed = {row["bare_sample_id"] for row in bundled_rows("literature", "samples.csv")}

    def change(header, rows):
        free = [row for row in rows if row["sample_id"] not in tested | needed]
        rows.remove(free[0] if name == "samples.csv" else rows[0])
        return header, rows

    rewrite(copied, name, change)
    assert Dataset.from_folder(copied).content_hash != dataset.content_hash


def test_hash_of_the_bundled_tables_is_pinned(dataset):
    assert dataset.content_hash.startswith("1baac8347049")


def in_other_materials(dataset, table, column, text):
    """Return the dataset with another cell in the first row of a reference table."""
    ions, shells = dataset.reader.ions.rows, dataset.reader.shells
    tables = {
        "ions": [dict(row) for row in ions],
        "shells": [dict(row) for row in shells.shell_rows],
        "shell_materials": [dict(row) for row in shells.property_rows],
        "cores": [dict(row) for row in dataset.cores],
        "gaps": [dict(row) for row in dataset.gaps],
    }
    assert tables[table][0][column] != text
    tables[table][0][column] = text
    reader = FormulaReader(
        Ions(tables["ions"]), Shells(tables["shells"], tables["shell_materials"])
    )
    cores, gaps = tuple(tables["cores"]), tuple(tables["gaps"])
    return replace(dataset, reader=reader, cores=cores, gaps=gaps)


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [
        ("cores", "band_gap_ev", "2.97"),
        ("gaps", "band_gap_ev", "2.97"),
        ("ions", "effective_ionic_radius_pm", "187"),
        ("shells", "in_water", "soluble"),
        ("shell_materials", "band_gap_ev", "8.9"),
    ],
)
def test_hash_changes_with_a_cell_of_a_reference_table(dataset, table, column, text):
    changed = in_other_materials(dataset, table, column, text)
    assert changed.content_hash != dataset.content_hash
    assert changed.digests == dataset.digests


def test_hash_does_not_depend_on_the_order_of_the_reference_tables(dataset):
    turned = replace(
        dataset,
        reader=FormulaReader(
            Ions(dataset.reader.ions.rows[::-1]),
            Shells(
                dataset.reader.shells.shell_rows[::-1], dataset.reader.shells.property_rows[::-1]
            ),
        ),
        cores=dataset.cores[::-1],
        gaps=dataset.gaps[::-1],
    )
    assert turned.content_hash == dataset.content_hash


# Facts of the samples ------------------------------------------------------------------------


def test_morphology_monolayers_and_treatments_are_columns(dataset):
    sample = dataset.samples["oamf2025-CsPbBr3-NPL-3ML"]
    assert (sample.morphology, sample.monolayers) == ("nanoplatelet", 3)
    assert (sample.ligand, sample.treatments) == ("oleylammonium fluoride", ("ligand",))
    assert sample.core_size_nm == pytest.approx(3 * 0.59)
    shapes = Counter(sample.morphology for sample in dataset.samples.values())
    assert (shapes["nanoplatelet"], shapes["nanowire"]) == (17, 14)
    treated = [s for s in dataset.samples.values() if s.trains_plqy and "ligand" in s.treatments]
    assert len(treated) == 50


def test_native_ligands_are_no_treatment(dataset):
    for name in ("chenk2019-CsPbI3-C18", "xiong2020-CsPbBr3-OAm", "yangd2019-CsPbBr3-OAm"):
        assert dataset.samples[name].treatments == ()


def test_numbers_of_samples_have_bounds_ranges_and_qualities(dataset):
    samples = dataset.samples
    assert samples["acsami2018-MAPbBr3-SiO2"].fwhm == Measurement(25, "~")
    assert samples["cao2020-CsPbCl3Co-bare"].core_size == Measurement(9, low=8, high=10)
    assert samples["cao2020-CsPbCl3Co-bare"].plqy == Measurement(30, quality="best value")
    assert samples["lv2019-CsPbBr3-PMAO"].plqy == Measurement(53, quality="second-hand")
    assert {"printed", "second-hand", "verbal"} == {test.quality for test in dataset.tests}


def test_a_note_is_never_read_for_facts(dataset, copied):
    note = "no nanoplatelets were found; n = 3; ligand: none; dopant:Mn; wires; FWHM approximate"

    def change(header, rows):
        return header, [row | {"note": note} for row in rows]

    rewrite(copied, "samples.csv", change)
    noted = Dataset.from_folder(copied).samples.values()
    assert [replace(s, note="") for s in noted] == [
        replace(s, note="") for s in dataset.samples.values()
    ]


@pytest.mark.parametrize("word", ["none", "None", ""])
def test_a_treatment_called_none_is_none(dataset, copied, word):
    def change(header, rows):
        return header, [row | {"ligand": word, "dopant": word} for row in rows]

    rewrite(copied, "samples.csv", change)
    assert {s.treatments for s in Dataset.from_folder(copied).samples.values()} == {()}


def test_a_stated_size_counts_more_than_the_monolayers(dataset):
    sample = dataset.samples["oamf2025-CsPbBr3-NPL-3ML"]
    assert replace(sample, core_size=Measurement(2.4)).core_size_nm == 2.4
    assert math.isnan(replace(sample, monolayers=math.nan).core_size_nm)
    assert math.isnan(replace(sample, morphology="nanowire").core_size_nm)


def test_columns_that_may_be_empty_may_be_left_out(dataset, copied):
    gone = {"fwhm_quality", "ligand", "dopant", "monolayers", "plqy_low", "plqy_high", "note"}

    def change(header, rows):
        return [name for name in header if name not in gone], [
            {name: text for name, text in row.items() if name not in gone} for row in rows
        ]

    rewrite(copied, "samples.csv", change)
    samples = Dataset.from_folder(copied).samples
    assert samples.keys() == dataset.samples.keys()
    assert {sample.ligand for sample in samples.values()} == {""}


# Papers of a dataset -------------------------------------------------------------------------


def test_subset_has_the_rows_of_its_papers_alone(dataset):
    own = dataset.subset(["hu2018", "zhang2018"])
    assert set(own.papers) == {"hu2018", "zhang2018"}
    assert {sample.paper_id for sample in own.samples.values()} == set(own.papers)
    hu = [test for test in dataset.tests if test.sample.paper_id == "hu2018"]
    assert [test for test in own.tests if test.sample.paper_id == "hu2018"] == hu
    counted = {
        name: len(own.rows[f"{file}.csv"])
        for name, file in (
            ("papers", "papers"),
            ("samples", "samples"),
            ("stability_tests", "stability"),
        )
    }
    assert own.counts == counted


def test_hash_of_a_subset_is_that_of_its_rows(dataset):
    one, other = dataset.subset({"hu2018"}), dataset.subset({"hu2018", "li2018"})
    assert one.content_hash != other.content_hash != dataset.content_hash
    assert other.subset({"hu2018"}).content_hash == one.content_hash
    assert dataset.subset(dataset.papers).content_hash == dataset.content_hash


def test_subset_of_an_unknown_paper_is_refused(dataset):
    with pytest.raises(InputError, match=r"paper 'hu2081': no such paper_id .*; nearest: hu2018"):
        dataset.subset({"hu2018", "hu2081"})


def test_subset_offers_no_core_of_another_paper(dataset):
    known = dataset.subset({"hu2018"}).reader.known_cores
    assert known == ("CsPbBr3",)


def test_digests_are_of_each_paper(dataset):
    assert list(dataset.digests) == list(dataset.papers)
    assert len(set(dataset.digests.values())) == len(dataset.papers)
    assert all(len(own) == 16 and int(own, 16) for own in dataset.digests.values())


def test_digest_of_a_paper_is_the_same_in_a_subset(dataset):
    assert dataset.subset({"hu2018"}).digests["hu2018"] == dataset.digests["hu2018"]


@pytest.mark.parametrize(
    ("name", "key", "column"),
    [
        ("papers.csv", {"paper_id": "hu2018"}, "title"),
        ("samples.csv", {"paper_id": "hu2018"}, "note"),
        ("stability.csv", {"sample_id": "hu2018-CsPbBr3-SiO2"}, "note"),
    ],
)
def test_digest_changes_with_a_cell_of_its_paper_alone(dataset, copied, name, key, column):
    def change(header, rows):
        row = next(row for row in rows if row.items() >= key.items())
        row[column] = "changed"
        return header, rows

    rewrite(copied, name, change)
    digests = Dataset.from_folder(copied).digests
    changed = {paper for paper in digests if digests[paper] != dataset.digests[paper]}
    assert changed == {"hu2018"}


def test_entry_of_a_paper_has_its_rows(dataset):
    entry = dataset.entry("hu2018")
    assert entry.paper["doi"] == "10.1021/jacs.7b11003"
    assert {row["paper_id"] for row in entry.samples} == {"hu2018"}
    assert len(entry.tests) == sum(t.sample.paper_id == "hu2018" for t in dataset.tests)


def test_entry_of_an_unknown_paper_is_refused(dataset):
    with pytest.raises(InputError, match="no such paper_id"):
        dataset.entry("nobody2018")


# Reading tables ------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    """Return a function that writes bytes and reads them as a table."""

    def read(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        return read_table(path)

    return read


@pytest.mark.parametrize("text", ["none", "NA", "N/A", "nan", "null", "None", "1.0", "007", "true"])
def test_cells_stay_text(table, text):
    assert table(f"name\n{text}\n".encode())[1] == [{"name": text}]


def test_outer_blanks_are_stripped(table):
    assert table(b" a , b\n x,y \n") == (["a", "b"], [{"a": "x", "b": "y"}])


def test_quoted_commas_and_line_breaks_stay_in_their_cell(table):
    assert table(b'a,b\n"x,y","1\n2"\n')[1] == [{"a": "x,y", "b": "1\n2"}]


def test_empty_cells_are_empty_texts(table):
    assert table(b"a,b\n,\n")[1] == [{"a": "", "b": ""}]


def test_header_alone_is_a_table_without_rows(table):
    assert table(b"a,b\n") == (["a", "b"], [])


def test_blank_lines_at_the_end_are_no_rows(table):
    assert table(b"a,b\n1,2\n\n\n")[1] == [{"a": "1", "b": "2"}]


def test_message_names_the_file_and_the_row(table):
    with pytest.raises(InputError, match=r"table\.csv, row 3: 1 cells where the header has 2"):
        table(b"a,b\n1,2\n3\n")


# Reference tables ----------------------------------------------------------------------------


def test_no_spelling_stands_for_two_shells():
    owners = {}
    for row in bundled_rows("materials", "shells.csv"):
        for spelling in (row["name"], *row["aliases"].split(";")):
            if spelling.strip():
                owners.setdefault(spelling.strip().casefold(), set()).add(row["name"])
    assert {text: names for text, names in owners.items() if len(names) > 1} == {}


def test_shell_names_stand_once():
    names = Counter(row["name"] for row in bundled_rows("materials", "shells.csv"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_spelling_is_the_word_for_no_shell():
    assert Shells.bundled().find(NONE) is None


def test_one_spelling_for_two_shells_is_refused():
    rows = [dict(row) for row in bundled_rows("materials", "shells.csv")[:2]]
    rows[1]["aliases"] = "Silica"
    with pytest.raises(ValueError, match="'Silica' names both 'SiO2' and 'Al2O3'"):
        Shells(rows, [])


def test_behaviour_in_water_is_a_known_word():
    words = {shell.in_water for shell in Shells.bundled().materials.values()}
    assert words <= {*WATER_WORDS, ""}


def test_shell_references_exist():
    shells = Shells.bundled()
    known = {row["name"] for row in shells.property_rows}
    wanted = {row["reference"] for row in shells.shell_rows if row["reference"]}
    assert wanted - known == set()


def test_unknown_properties_are_not_invented():
    material = Shells.bundled().find("MgO")
    assert all(math.isnan(value) for value in material.properties.values())


@pytest.mark.parametrize(
    ("symbol", "site", "charges"),
    [
        ("Cs", "A", (1,)),
        ("FA", "A", (1,)),
        ("Pb", "B", (2,)),
        ("Sn", "B", (2, 4)),
        ("Br", "X", (-1,)),
        ("SCN", "X", (-1,)),
    ],
)
def test_ion(symbol, site, charges):
    ion = Ions.bundled().by_symbol[symbol]
    assert (ion.site, ion.charges) == (site, charges)


def test_radius_belongs_to_its_charge():
    tin = Ions.bundled().by_symbol["Sn"]
    assert dict(zip(tin.charges, tin.radius_pm, strict=True)) == {2: 110.0, 4: 69.0}


def test_unknown_radius_is_missing():
    assert math.isnan(Ions.bundled().by_symbol["EA"].radius_pm[0])


# The single paper of many syntheses ----------------------------------------------------------


def test_syntheses_of_one_paper_are_valid_samples(dataset):
    header, rows = read_table(SYNTHESES)
    assert len(rows) == 289
    assert check_samples(header, SAMPLES.filled(rows), {"henke2025"}, dataset.reader) == []


def test_syntheses_are_bare_and_of_a_known_paper(dataset):
    _, rows = read_table(SYNTHESES)
    assert {(row["paper_id"], row["shell"]) for row in rows} == {("henke2025", "none")}
    assert "henke2025" in dataset.papers


def test_syntheses_are_no_samples_of_the_dataset(dataset):
    _, rows = read_table(SYNTHESES)
    assert {row["sample_id"] for row in rows} & dataset.samples.keys() == set()
