"""Generated dotenv documents: any bytes in names, values and comments."""

from hypothesis import strategies as st

_HAZARDS = "ab =#:\"'\\`n$\r\t\f\x1c\x85\u2028é😀"
_BYTES = st.text(st.sampled_from(f"{_HAZARDS}\udcff\udc80"), max_size=8)
_KEYS = _BYTES.map(lambda text: text.replace("=", "").lstrip("#"))
_LINES = st.one_of(
    st.just(""),
    _BYTES.map("#{}".format),
    _BYTES.map("# note{}".format),
    st.tuples(_KEYS, _BYTES).map("=".join),
    st.tuples(_KEYS, _BYTES).map("_unencrypted=".join),
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(_LINES, max_size=6))
    end = draw(st.sampled_from(("\n", "\n", "")))
    return ("A=1\n" + "\n".join(lines) + end).encode("utf-8", "surrogateescape")


def leaves_of(document: bytes) -> list[tuple[tuple[str], bytes]]:
    lines = [line for line in document.split(b"\n") if line and not line.startswith(b"#")]
    pairs = [line.partition(b"=") for line in lines]
    return [
        ((name.decode("utf-8", "surrogateescape"),), value.replace(b"\\n", b"\n"))
        for name, _, value in pairs
    ]
