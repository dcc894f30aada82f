"""How a user's view of a job is made to differ from what the queue knows."""

from __future__ import annotations

from typing import Any

from .misbehaviour import Misbehaviours

Document = dict[str, Any]


class Distortion:
    """Asks the switchboard before every reading."""

    def __init__(self, misbehaviours: Misbehaviours) -> None:
        self.misbehaviours = misbehaviours

    def page(self, start: int) -> int:
        """Where a page begins that was asked for at `start`."""
        if start > 0 and self.misbehaviours.take("inconsistent_pages"):
            return start - 1
        return start

    def log(self, text: str) -> str:
        if text and self.misbehaviours.take("shrinking_log"):
            return text[: len(text) // 3]
        return text

    def job(self, view: Document) -> Document:
        take = self.misbehaviours.take
        if view["log"]:
            view["log"] = self.log(view["log"])
        if view["resource_usage"] is not None and take("late_usage"):
            view["resource_usage"] = None
        if view["output_data"] is not None and take("late_output"):
            view["output_data"] = None
        if view["output_data"] is not None:
            self._files(view)
        state = take("unknown_state")
        if state is not None:
            view["status"] = state.value
        return view

    def _files(self, view: Document) -> None:
        files: list[Document] = view["output_data"]["files"]
        name_lie = self.misbehaviours.take("lie_name")
        if name_lie is not None:
            for number, item in enumerate(files):
                folder = item["url"].rpartition("/")[0]
                item["url"] = f"{folder}/as/{number}/{name_lie.value}"
        if self.misbehaviours.take("two_of_one_name"):
            for item in list(files):
                folder, _, name = item["url"].rpartition("/")
                files.append({**item, "url": f"{folder}/again/{name}"})
        for lie, name in (
            ("lie_size", "size"),
            ("lie_hash", "hash"),
            ("lie_path", "path"),
            ("lie_type", "content_type"),
        ):
            active = self.misbehaviours.take(lie)
            if active is not None:
                for item in files:
                    item[name] = int(active.value) if name == "size" else active.value
