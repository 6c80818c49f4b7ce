"""Notices that leave the portal: mails and one webhook, out of the register's book of deliveries."""
