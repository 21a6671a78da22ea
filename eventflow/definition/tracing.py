"""Tracing: running a pipeline's body once, with references for values, and writing down the graph that it makes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import BoundArguments
from typing import Any, cast

import msgspec

from eventflow import ids
from eventflow.definition import bindings, calls, order, places
from eventflow.definition.bodies import AnyBody
from eventflow.definition.functions import Function
from eventflow.definition.graph import DEFAULT_RULE, TASK, Binding, Branch, Maybe, Node, OneOf, Output, Parameter, joined
from eventflow.definition.loose import Loose
from eventflow.definition.references import Reference, Source, shown
from eventflow.definition.scopes import Group, Scope
from eventflow.definition.uses import Use
from eventflow.errors import DefinitionError


class Trace:
    """One run of a pipeline's body, and the nodes that it made, in the order as written; `bodies` are by path.

    `mentioned` are the nodes of tasks that were written without a call.

    Mistakes are placed at `where` if given, otherwise at the line of the user's code that is under way. `defaults` are the options of tasks
    that don't say otherwise.
    """

    def __init__(
        self, pipeline: str, function: Function[Any], where: str | None = None, defaults: Mapping[str, object] | None = None
    ) -> None:
        self.pipeline = pipeline
        self.nodes: dict[str, Node] = {}
        self.bodies: dict[str, AnyBody] = {}
        self.scope = Scope(defaults=defaults or {})
        self.mentioned: dict[object, object] = {}
        self._function = function
        self._where = where
        self._uses: dict[str, int] = {}
        self._groups: set[str] = set()
        self._blocks: dict[str, str] = {}
        self._around = _current.get()
        self._is_open = True

    def follow(self) -> Binding | None:
        """Run the body and give the binding of what it returns. Whatever it raises becomes a `DefinitionError`."""
        try:
            with self.under_way():
                returned = self._call()
                return None if returned is None else self._result(returned)
        except DefinitionError:
            raise
        except Exception as error:
            message = f"the body of pipeline {self.pipeline!r} raised {type(error).__name__}: {error}"
            raise DefinitionError(message, self._where or places.of_error(error)) from error

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Have what is called in the block add its nodes here. Nothing is added afterwards."""
        token = _current.set(self)
        try:
            yield
        finally:
            self._is_open = False
            _current.reset(token)

    def add(self, use: Use, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Reference:
        """Add a node for a task and give a reference to its result."""
        what = f"task {use.name!r}"
        annotated = use.function.inputs
        given = calls.arguments(self, use.function.signature, args, kwargs, what)
        inputs = {name: self.bind(value, annotated[name], f"argument {name!r} of {what}") for name, value in given.items()}
        use.check_passing(self, inputs)
        after = self.waited(use.after, f"after() of {what}", rule=use.rule)
        node = Node("", use.function.path, inputs, after, use.fingerprint, rule=use.rule, passes=use.passes)
        return self.put(use.name, node, use.body, use.function.result, is_fixed=use.is_fixed)

    def put(self, name: str, node: Node, body: AnyBody, annotation: object, *, is_fixed: bool = False) -> Reference:
        """Add a node under a free name, in the group and the branch that the body is in; give a reference to its value.

        `is_fixed` says that the name was chosen for this one node: where it is taken that is a mistake.
        """
        full = self.free_name(name, is_fixed=is_fixed)
        node = msgspec.structs.replace(node, name=full, within=self.scope.branch)
        self._check_rule(node, name)
        self.nodes[full] = node
        self.bodies[full] = body
        if not isinstance(node.does, Branch):
            self.scope.decided.clear()
        return Reference(Source(self, Output(full), annotation))

    def bind(self, value: object, annotation: object, what: str) -> Binding:
        """Give the binding of a value or of references, which `what` takes. Raises `DefinitionError` for what can't be used so here."""
        return bindings.bind(self, value, annotation, what)

    def waited(self, references: Iterable[object], what: str, *, rule: str = DEFAULT_RULE) -> tuple[str, ...]:
        """Name the nodes behind references and groups, to be waited for under a trigger rule."""
        return tuple(dict.fromkeys(name for reference in references for name in self._waited(reference, what, rule)))

    def check(self, reference: Reference, what: str) -> None:
        """Raise `DefinitionError` for a reference that was made elsewhere, or in a branch that this isn't in."""
        source = reference.__source__
        if source.trace is not self:
            self._check_home(source.trace, shown(source.binding), what)
        branch = self.scope.outside(self.nodes, source.binding)
        if branch is not None:
            name = shown(source.binding)
            raise self._out_of(branch, f"{what}: {name!r}", f"take one_of(...) of the branches that give a value, or maybe({name})")

    def mistake(self, message: str) -> DefinitionError:
        """Give the error that names the user's line."""
        return DefinitionError(message, self._where or places.user_place())

    @contextmanager
    def entered(self, scope: Scope) -> Generator[None]:
        """Have what is written in the block stand in a scope of its own."""
        around, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = around

    def open_branch(self, branch: str, written: str) -> Scope:
        """Give the scope of a branch's block. `written` tells people which block it is."""
        self._blocks[branch] = f"{written} ({self._where or places.user_place()})"
        return self.scope.within(branch)

    def open_group(self, name: str, *, is_fixed: bool) -> Scope:
        """Give the scope of a new group."""
        full = self.free_name(name, is_fixed=is_fixed)
        self._groups.add(full)
        self.scope.decided.clear()
        return self.scope.grouped(full)

    def order(self, earlier: object, later: object) -> object:
        """Have what is later wait for what is earlier: references, tasks that need no inputs, lists of these. Gives what is later."""
        return order.order(self, earlier, later)

    def free_name(self, name: str, *, is_fixed: bool = False) -> str:
        """Give the name, in the group that the body is in, that nothing has yet."""
        full = joined(self.scope.group, name)
        if is_fixed:
            if self._is_taken(full):
                raise self.mistake(f"pipeline {self.pipeline!r} already has a node named {full!r}: choose another name")
            return full
        free = self._numbered(name, full)
        while self._is_taken(free):
            free = self._numbered(name, full)
        return free

    def traces(self, function: Function[Any]) -> bool:
        """Tell whether a function's body is being traced, here or around here."""
        if self._function is function or function in self.scope.inlined:
            return True
        return self._around is not None and self._around.traces(function)

    @property
    def is_open(self) -> bool:
        """Whether the body is still running."""
        return self._is_open

    def _result(self, returned: object) -> Binding:
        try:
            return self.bind(returned, self._function.result, f"the result of pipeline {self.pipeline!r}")
        except DefinitionError as error:  # of what was returned, when none of the body's lines is under way any more
            raise DefinitionError(error.message, self._where or places.of_function(self._function.fn)) from error

    def _call(self) -> object:
        annotated = self._function.inputs
        given = OrderedDict((name, Reference(Source(self, Parameter(name), annotated[name]))) for name in annotated)
        bound = BoundArguments(self._function.signature, cast("OrderedDict[str, Any]", given))
        return self._function.call(*bound.args, **bound.kwargs)

    def _is_taken(self, name: str) -> bool:
        return name in self.nodes or name in self._groups

    def _numbered(self, name: str, full: str) -> str:
        number = self._uses[full] = self._uses.get(full, 0) + 1
        suffix = f"_{number}" if number > 1 else ""
        return joined(self.scope.group, name[: ids.LONGEST_NAME - len(suffix)] + suffix)

    def _waited(self, reference: object, what: str, rule: str) -> Iterator[str]:
        if isinstance(reference, Group):
            names = self._of_group(reference, what)
        elif isinstance(reference, Reference):
            names = self._of_reference(reference, what)
        else:
            raise self.mistake(f"{what} takes what tasks gave in this body, and groups, not {reference!r}")
        for name in names:
            if rule == DEFAULT_RULE and (branch := self.scope.outside(self.nodes, Output(name))) is not None:
                instead = "give what waits for it a rule that allows that, as in .options(rule='none_failed')"
                raise self._out_of(branch, f"{what}: {name!r}", instead)
            yield name

    def _of_group(self, group: Group, what: str) -> list[str]:
        self._check_home(group.trace, group.name, what)
        if f"{self.scope.group}.".startswith(f"{group.name}."):
            raise self.mistake(f"{what}: what is in group {group.name!r} can't wait for the whole of it: wait for some of its nodes")
        names = list(group.nodes(self.nodes))
        if not names:
            raise self.mistake(f"{what}: group {group.name!r} is empty: call tasks in its block")
        return names

    def _of_reference(self, reference: Reference, what: str) -> list[str]:
        source = reference.__source__
        self._check_home(source.trace, shown(source.binding), what)
        match source.binding:
            case Output(node=node):
                return [node]
            case Parameter(name=name):
                raise self.mistake(f"{what}: {name!r} is a parameter, which is there from the start")
            case OneOf() | Maybe():
                instead = "wait for the nodes themselves, with a rule, as in .options(rule='none_failed')"
                raise self.mistake(f"{what}: {shown(source.binding)} is a choice of values: {instead}")

    def _check_home(self, trace: object, name: str, what: str) -> None:
        if isinstance(trace, Loose):
            raise self.mistake(f"{what}: {trace.told}")
        if trace is not self:
            made = f"pipeline {trace.pipeline!r}" if isinstance(trace, Trace) else "another pipeline"
            raise self.mistake(
                f"{what}: {name!r} was made in {made} and means nothing in pipeline {self.pipeline!r}: "
                "a reference stays in the body that made it"
            )

    def _out_of(self, branch: str, what: str, instead: str) -> DefinitionError:
        return self.mistake(f"{what} was made inside {self._blocks.get(branch, branch)}, which may not run: {instead}")

    def _check_rule(self, node: Node, name: str) -> None:
        if node.rule == DEFAULT_RULE or node.role != TASK:
            return
        for argument, binding in node.inputs.items():
            missing = next(bindings.unsure(binding), None)
            if missing is not None:
                raise self.mistake(
                    f"argument {argument!r} of {name!r}, whose rule is {node.rule!r}: {shown(missing)!r} may have no value when it runs: "
                    f"take maybe({shown(missing)}), or only wait for it with after(...)"
                )


_current: ContextVar[Trace | None] = ContextVar("eventflow_trace", default=None)


def current() -> Trace | None:
    """Give the trace that is under way here, or None."""
    trace = _current.get()
    return trace if trace is not None and trace.is_open else None


def expected(what: str) -> Trace:
    """Give the trace that is under way here. Raises `DefinitionError` where there is none, for `what` belongs in one."""
    trace = current()
    if trace is None:
        raise DefinitionError(f"{what} is called outside a pipeline's body: call it in a @pipeline function", places.user_place())
    return trace
