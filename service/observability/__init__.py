"""What operators see of the service's work. Of HTTP it knows what an `Exchange` says.

Whoever keeps account of requests is an `Observer`: the application and the fast lane put every exchange into one
`Account`, which tells them.
"""
