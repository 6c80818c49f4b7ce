"""What an application is made of beside cameras and one department: consents of others, and files that people bring."""
