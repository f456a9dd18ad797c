"""Running a recipe as a service of the system: systemd, launchd, Windows."""
