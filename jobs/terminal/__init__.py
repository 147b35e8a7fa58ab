"""How the command talks: tables, progress, configuration files, what an argument means."""
