"""Safeguards of the edge: streams, the bus, the feed, bodies, the end of the server."""

from __future__ import annotations

from tests.ablation.safeguard import Room

STREAM = "api/test_stream.py::"
FEED = "api/test_feed.py::"
BUS = "unit/engine/test_bus.py::"
READERS = "api/test_readers.py::"
SERVER = "api/test_server.py::"

stream = Room("app/api/thread_stream.py", promise="G6")
stream(
    "a stream subscribes before it replays",
    "            with self._services.bus.subscribe(self._thread.thread_id) as subscription:",
    "            if greeting:\n"
    "                greeting = False\n"
    "                yield await self._snapshot()\n"
    "                async for chunk in self._replay():\n"
    "                    yield chunk\n"
    "            with self._services.bus.subscribe(self._thread.thread_id) as subscription:",
    STREAM + "test_an_event_between_subscribing_and_replaying_comes_once",
)
stream(
    "a gap is read from the table",
    "return await self._told(item) if stored or item.seq <= self._cursor + 1 else None",
    "return await self._told(item)",
    STREAM + "test_a_gap_in_what_the_bus_tells_is_read_from_the_table",
)
stream(
    "an event that was told is not told again",
    "if event.seq <= self._cursor:",
    "if event is None:",
    STREAM + "test_an_event_between_subscribing_and_replaying_comes_once",
)
stream(
    "the last event survives an outage",
    "        except Unavailable:\n            return False",
    "        except ZeroDivisionError:\n            return False",
    STREAM + "test_no_event_is_lost_when_the_store_goes_away_just_after_the_last_one",
)
stream(
    "a cursor beyond the head is clamped",
    "min(cursor, thread.last_seq)",
    "cursor",
    STREAM + "test_a_cursor_beyond_the_head_is_clamped",
)
stream(
    "a reader that lags is sent back to the table",
    "                except Lagged:\n                    self._stale, self._goal = True, None",
    "                except Lagged:\n                    self._stale, self._goal = False, None",
    STREAM + "test_a_reader_that_lags_is_sent_back_to_the_table_at_once",
)
stream(
    "after a silence the table is asked",
    "if not items and (gone := await self._ask()):",
    'if not items and (gone := b""):',
    STREAM + "test_events_that_the_bus_never_told_are_found_after_a_silence",
)
stream(
    "a stream outlives an outage",
    "                except Unavailable:  # the stream outlives",
    "                except ZeroDivisionError:  # the stream outlives",
    STREAM + "test_a_stream_outlives_an_outage_of_the_store",
    promise="G13",
)
stream(
    "what is not kept any more is told",
    "if missing < event.seq:",
    "if missing < 0:",
    STREAM + "test_what_is_not_kept_any_more_is_told_as_a_gap",
)
sse = Room("app/api/sse.py", promise="G12")
sse(
    "a shutdown ends the streams",
    "            subscription.push([GOODBYE])",
    "            subscription.push([])",
    STREAM + "test_a_shutdown_ends_every_stream_with_a_word",
)
sse(
    "a reader that takes nothing is cut off",
    "send_timeout=_SEND_TIMEOUT",
    "send_timeout=None",
    READERS + "test_a_reader_that_takes_nothing_is_cut_off",
    promise="G6",
)
sse(
    "what is sent to one reader at a time has a bound",
    "return self._size >= _PIECE",
    "return False",
    READERS + "test_a_reader_that_is_far_behind_is_sent_one_piece_at_a_time",
    promise="G6",
)
bus = Room("app/engine/bus.py", promise="G6")
bus(
    "a subscriber that lags is cut loose",
    "if len(self._items) + len(items) > BUFFER:",
    "if len(items) < 0:",
    BUS + "test_a_subscriber_that_lags_is_cut_loose_and_the_others_are_not",
)
bus(
    "a reader that goes leaves no subscription",
    "                readers.discard(subscription)",
    "                readers.add(subscription)",
    BUS + "test_a_subscriber_that_goes_away_while_it_waits_leaves_nothing_behind",
)
bus(
    "the text of an ended step is not kept",
    "            texts.pop((step_id, index), None)",
    "            texts.get((step_id, index))",
    "unit/engine/test_late.py::test_the_text_of_a_step_goes_with_its_end",
)
bus(
    "the text of a step has a limit",
    "if kept.size < _CHUNK_LIMIT:",
    "if kept.size >= 0:",
    READERS + "test_no_more_of_a_steps_text_is_kept_than_the_limit",
)
feed = Room("app/api/feed.py", promise="G6")
feed(
    "a reader of the feed that lags is cut loose",
    "if len(self.items) + len(frames) > _BUFFER:",
    "if len(frames) < 0:",
    READERS + "test_a_reader_of_the_feed_that_lags_keeps_nothing",
)
feed(
    "nothing of the feed is told twice",
    "if self._cursor is not None and item.position <= self._cursor:",
    "if self._cursor is None:",
    READERS + "test_what_the_tail_hands_over_again_is_told_once",
)
feed(
    "the tail outlives an outage",
    "            except Exception:  # noqa: BLE001 - readers wait",
    "            except ZeroDivisionError:  # readers wait",
    FEED + "test_the_tail_survives_a_store_that_is_away",
    promise="G13",
)
feed(
    "a page read for readers that left moves no one",
    "if not items or self._position != start:",
    "if not items:",
    READERS + "test_a_page_that_was_read_for_others_is_not_handed_out",
)
feed(
    "without readers the tail rests",
    "            self._wanted.clear()\n            self._position = None",
    "            self._position = start if (start := self._position) else None",
    READERS + "test_the_tail_rests_when_everybody_has_left",
)
feed(
    "a cursor of another database is brought back",
    "or await self._is_beyond(place):",
    "or place is None:",
    FEED + "test_a_cursor_of_a_database_that_was_further_is_brought_back",
)
feed(
    "a page that was read without results is not handed to who wants them",
    "if not results and any(reader.results for reader in self._readers):",
    "if not results and not items:",
    READERS + "test_a_page_without_results_is_not_handed_to_who_wants_them",
)
bulk = Room("app/api/bulk.py")
bulk(
    "what hinders one of many threads hinders no other",
    "    except Exception:  # noqa: BLE001 - it is told",
    "    except ZeroDivisionError:  # it is told",
    "api/test_threads.py::test_what_hinders_one_thread_hinders_no_other",
)
bulk(
    "a request for many threads ends in time",
    "            if monotonic() > end:\n",
    "            if monotonic() < 0 > end:\n",
    "api/test_threads.py::test_when_the_time_is_over_no_further_thread_is_begun_with",
)
guard = Room("app/api/guard.py")
guard(
    "a page of another origin changes nothing",
    "            raise Foreign\n",
    "            pass\n",
    "api/test_cross_origin.py::test_a_page_of_another_origin_starts_nothing",
    promise="-",
)
guard(
    "a body is counted over its chunks",
    'left -= len(message.get("body", b""))',
    'left -= 0 * len(message.get("body", b""))',
    "api/test_odd_requests.py::test_chunks_are_counted_whatever_they_declare",
)
guard(
    "a body that declares too much is refused unread",
    "if _declared(scope) > limit:",
    "if _declared(scope) < 0:",
    READERS + "test_a_body_that_declares_too_much_is_not_read",
)
server = Room("app/api/server.py", promise="G12")
server(
    "a shutdown tells the streams first",
    "        self._services.shutting_down.set()\n",
    "",
    SERVER + "test_sigterm_ends_the_server_before_the_services",
)
server(
    "a shutdown has a deadline",
    "            self._deadline.set()",
    "            self._deadline.close()",
    SERVER + "test_sigterm_sets_the_deadline",
)
server(
    "the deadline ends the process",
    "            self._timer.start()",
    "            self._timer.is_alive()",
    SERVER + "test_the_deadline_ends_the_process_unless_it_is_lifted",
)

ROOMS = (stream, sse, bus, feed, bulk, guard, server)
