"""Print made-up people, one a second, until Ctrl-C: `swak up recipes/people.py`."""

from swak import in_, main, out

main(
    in_.DummyData(type="people"),
    out.Stdout(),
)
