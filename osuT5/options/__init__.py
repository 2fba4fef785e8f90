"""Options: how they are stated, checked, composed from the command line, and written into help, pages and files."""

from osuT5.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "model": "ASKED DEFAULT Command Layer Options Section contradiction heading leaves must_exist option required "
        "section spelled",
        "types": "Bool Int Ints Names Number Numbers PathText Table Text as_list ints names_of numbers one_of",
    },
)
