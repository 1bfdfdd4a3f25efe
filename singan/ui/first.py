"""What a page shows before anybody has asked for anything: drawn once, when the app starts, and the same for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.processing_utils import move_files_to_cache, save_file_to_cache

from singan.ui.frame import begin
from singan.ui.link import is_linked
from singan.ui.shelf import Shelf
from singan.ui.uploads import folder_of_uploads, keep

Pictures = list[tuple[str, str]]  # files and captions, as a gallery takes them
WAIT_SECONDS = 1.0  # gradio can cancel a handler only when it yields


class First:
    """The pictures of a gallery on a new page. A page that is opened before all are there sees them come."""

    def __init__(self, gallery: gr.Gallery, moments: Callable[[], Iterator[tuple[Pictures, int]]]) -> None:
        """`moments`: gives the pictures so far whenever there is one more, as the handler of a gallery does."""
        self.gallery, self.moments = gallery, moments
        self.pictures: Pictures = []
        self.ended = False
        self._news = threading.Condition()

    def start(self, demo: gr.Blocks) -> None:
        """Draw them in a thread, and have them in all pages of `demo` from then on."""
        # No daemon: one that ends in the middle of PyTorch's work aborts the process.
        threading.Thread(target=self._draw, args=[demo], name="drawing the first samples").start()

    def open_page(self, shelf: Shelf, pictures: list[Any] | None, request: gr.Request) -> Iterator[Any]:
        """For a page that came without them, until something else is drawn there; not if a link names others."""
        newest = begin("sample")
        yield gr.skip()
        if pictures or is_linked(shelf, request):
            return
        for some in self.seen():
            if not newest():
                return
            yield some

    def seen(self) -> Iterator[Pictures]:
        """The pictures so far, at once and every now and then, until there are all."""
        while True:
            with self._news:
                pictures, ended = list(self.pictures), self.ended
            yield pictures
            if ended:
                return
            with self._news:
                if len(self.pictures) == len(pictures) and not self.ended:
                    self._news.wait(WAIT_SECONDS)

    def _draw(self, demo: gr.Blocks) -> None:
        try:
            for files, _ in self.moments():
                if not threading.main_thread().is_alive():  # the app was ended meanwhile
                    return
                path, caption = files[-1]
                kept = save_file_to_cache(path, cache_dir=str(folder_of_uploads()))
                keep([kept])
                with self._news:
                    self.pictures.append((kept, caption))
                    self._news.notify_all()
            self._put_into_page(demo)
        except RuntimeError as error:
            if "shutdown" not in str(error):  # the app was ended meanwhile, and its pool of threads takes no more
                raise
        finally:
            with self._news:
                self.ended = True
                self._news.notify_all()

    def _put_into_page(self, demo: gr.Blocks) -> None:
        value = self.gallery.postprocess([*self.pictures])
        self.gallery.value = move_files_to_cache(
            value.model_dump() if value else None, self.gallery, postprocess=True, keep_in_cache=True
        )
        demo.config = demo.get_config_file()
