"""Images under the names and tags of docker-compose.yml, made of packages: no image registry has to be reached."""
