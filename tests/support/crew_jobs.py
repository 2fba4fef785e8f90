"""Jobs for worker processes: what they do is named by the job."""

import os
import time

from osuT5.errors import InputError


def start(factor):
    def handle(job):
        if job == "die":
            os._exit(9)
        if job == "hang":
            time.sleep(600)
        if job == "odd":
            raise KeyError("odd")
        if job == "stop":
            raise InputError("stop it all")
        time.sleep(0.05 if job == 1 else 0)  # the first is not the first to be done
        return job * factor

    return handle
