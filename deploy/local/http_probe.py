"""Asking a page on this machine whether its server is ready."""

import httpx


async def status_of(url: str, *, timeout: float = 5.0) -> int:
    """Return the status code that a page on the loopback address answers with.

    Parameters:
        timeout: seconds.

    Raises:
        TimeoutError: no answer in time.
        ConnectionError: nobody answers.
    """
    # Without certificates to verify, because nothing here is TLS: loading them takes 16 ms of CPU a client, and this is
    # asked many times while everything starts.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=timeout) as client:
        try:
            response = await client.get(url)
        except httpx.TimeoutException as error:
            raise TimeoutError(f"{url} did not answer within {timeout:g} s") from error
        except httpx.TransportError as error:
            raise ConnectionError(f"{url} does not answer") from error
    return response.status_code
