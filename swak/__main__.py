"""`python -m swak`."""

from swak.cli import main

main()
