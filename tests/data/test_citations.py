"""The citations of the bundled papers: journals by DOI, the format of authors, whole titles."""

import re

import pytest

from perovshell.data.tables import bundled_rows

PAPERS = bundled_rows("literature", "papers.csv")
WITH_DOI = [row for row in PAPERS if row["doi"]]
AUTHORS = re.compile(r"[^,;]+, [^,;]+(?:; [^,;]+, [^,;]+)*(?:; et al\.)?")
JOURNAL_OF_DOI = {
    r"10\.1002/adfm\.": "Advanced Functional Materials",
    r"10\.1002/adma\.": "Advanced Materials",
    r"10\.1002/adom\.": "Advanced Optical Materials",
    r"10\.1002/advs\.": "Advanced Science",
    r"10\.1002/ange\.": "Angewandte Chemie",
    r"10\.1002/anie\.": "Angewandte Chemie International Edition",
    r"10\.1002/asia\.": "Chemistry - An Asian Journal",
    r"10\.1007/s00339-": "Applied Physics A",
    r"10\.1007/s11164-": "Research on Chemical Intermediates",
    r"10\.1007/s40820-": "Nano-Micro Letters",
    r"10\.1007/s42452-": "SN Applied Sciences",
    r"10\.1016/j\.ceramint\.": "Ceramics International",
    r"10\.1016/j\.jallcom\.": "Journal of Alloys and Compounds",
    r"10\.1016/j\.jlumin\.": "Journal of Luminescence",
    r"10\.1016/j\.matchemphys\.": "Materials Chemistry and Physics",
    r"10\.1016/j\.materresbull\.": "Materials Research Bulletin",
    r"10\.1016/j\.mtchem\.": "Materials Today Chemistry",
    r"10\.1016/j\.nanoen\.": "Nano Energy",
    r"10\.1016/j\.optmat\.": "Optical Materials",
    r"10\.1016/j\.solener\.": "Solar Energy",
    r"10\.1021/acs\.chemmater\.": "Chemistry of Materials",
    r"10\.1021/acs\.jchemed\.": "Journal of Chemical Education",
    r"10\.1021/acs\.jpcc\.": "The Journal of Physical Chemistry C",
    r"10\.1021/acs\.jpclett\.": "The Journal of Physical Chemistry Letters",
    r"10\.1021/acs\.nanolett\.": "Nano Letters",
    r"10\.1021/acsami\.": "ACS Applied Materials & Interfaces",
    r"10\.1021/acsanm\.": "ACS Applied Nano Materials",
    r"10\.1021/acsenergylett\.": "ACS Energy Letters",
    r"10\.1021/acsmaterialslett\.": "ACS Materials Letters",
    r"10\.1021/acsnano\.": "ACS Nano",
    r"10\.1021/acsomega\.": "ACS Omega",
    r"10\.1021/acssuschemeng\.": "ACS Sustainable Chemistry & Engineering",
    r"10\.1021/ja\d": "Journal of the American Chemical Society",
    r"10\.1021/jacs\.": "Journal of the American Chemical Society",
    r"10\.1021/nl\d": "Nano Letters",
    r"10\.1038/ncomms": "Nature Communications",
    r"10\.1038/s41467-": "Nature Communications",
    r"10\.1038/s42005-": "Communications Physics",
    r"10\.1038/srep": "Scientific Reports",
    r"10\.1039/..ce": "CrystEngComm",
    r"10\.1039/..ma": "Materials Advances",
    r"10\.1039/..na": "Nanoscale Advances",
    r"10\.1039/..nh": "Nanoscale Horizons",
    r"10\.1039/..nr": "Nanoscale",
    r"10\.1039/..qi": "Inorganic Chemistry Frontiers",
    r"10\.1039/..qm": "Materials Chemistry Frontiers",
    r"10\.1039/..ra": "RSC Advances",
    r"10\.1039/..re": "Reaction Chemistry & Engineering",
    r"10\.1039/..sc": "Chemical Science",
    r"10\.1039/..tc": "Journal of Materials Chemistry C",
    r"10\.1088/1361-6528/": "Nanotechnology",
    r"10\.1088/2632-959x/": "Nano Express",
    r"10\.1126/science\.": "Science",
    r"10\.1186/s40580-": "Nano Convergence",
    r"10\.1364/ol\.": "Optics Letters",
    r"10\.16606/j\.cnki\.issn0253-4320\.": "Modern Chemical Industry",
    r"10\.18149/mpm\.": "Materials Physics and Mechanics",
    r"10\.21203/rs\.": "Research Square",
    r"10\.26599/nr\.": "Nano Research",
    r"10\.3389/fchem\.": "Frontiers in Chemistry",
    r"10\.3389/fmats\.": "Frontiers in Materials",
    r"10\.3390/chemosensors": "Chemosensors",
    r"10\.3390/en\d": "Energies",
    r"10\.3390/ijms": "International Journal of Molecular Sciences",
    r"10\.3390/molecules": "Molecules",
    r"10\.3390/nano": "Nanomaterials",
    r"10\.3390/photonics": "Photonics",
    r"10\.37188/cjlcd\.": "Chinese Journal of Liquid Crystals and Displays",
    r"10\.48550/arxiv\.": "arXiv",
    r"10\.7234/composres\.": "Composites Research",
}
"""The beginning of a DOI that belongs to one journal, in lower case."""


@pytest.mark.parametrize("row", WITH_DOI, ids=lambda row: row["paper_id"])
def test_a_journal_agrees_with_the_doi(row):
    journals = {
        journal for start, journal in JOURNAL_OF_DOI.items() if re.match(start, row["doi"].lower())
    }
    assert journals <= {row["journal"]}


def test_only_dois_without_a_journal_code_may_have_no_journal():
    without = {row["doi"].split("/")[0] for row in WITH_DOI if not row["journal"]}
    assert without <= {"10.1063"}


@pytest.mark.parametrize(
    "row", [row for row in PAPERS if row["authors"]], ids=lambda row: row["paper_id"]
)
def test_authors_have_the_documented_format(row):
    assert AUTHORS.fullmatch(row["authors"])


@pytest.mark.parametrize("authors", ["A. Smith", "Smith, A., Jones, B.", "Smith, A.;Jones, B.", ""])
def test_other_formats_of_authors_are_no_citation(authors):
    assert not AUTHORS.fullmatch(authors)


def test_no_title_is_cut_unless_its_note_says_so():
    cut = [row for row in PAPERS if re.search(r"\.\.\.|\u2026", row["title"])]
    assert all("title shortened" in row["note"] for row in cut)
