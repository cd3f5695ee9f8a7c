"""What is launched: the instances of a configuration, with the settings of each."""

from collections.abc import Iterator
from functools import cached_property

from attrs import define, frozen

from specc.diagnostics import ExplainedError
from specc.engines.flags import FlagList, UnknownFlagsError, flags_of
from specc.ir import Deployment, Device, Phase, Software, Study, Vendor
from specc.records import Record
from specc.results import Configuration, Header, Instance


class CannotLaunchError(ExplainedError):
    """A configuration that no files can be written for, and what would help."""


@frozen(eq=False, repr=False)
class LaunchSetting(Record):
    """A flag or a variable of an engine.

    Attributes:
        name: with its dashes, if it is a flag.
        value: None for a flag without one.
        why: where the value comes from.
        raw: whether the value is text of a shell, such as `"$PORT"`.
        mounted: the value in a container, where that is another one.
    """

    name: str
    value: str | None
    why: str
    raw: bool = False
    mounted: str = ""


@define(slots=False, frozen=True, eq=False)
class Group:
    """Like instances: one phase, one layout.

    Attributes:
        role: what its files are called: `serve`, `prefill` or `decode`.
        instance: what the plan found.
        deployment: as these instances have it.
        flags: that its engine knows.
        phases_apart: whether others do the other phase.
    """

    role: str
    instance: Instance
    deployment: Deployment
    flags: FlagList
    phases_apart: bool

    @property
    def device(self) -> Device:
        """Its device."""
        return self.deployment.device

    @property
    def software(self) -> Software:
        """Its engine."""
        software = self.deployment.engine.software
        assert software is not None
        return software

    @property
    def phase(self) -> Phase:
        """What it does with a request."""
        return Phase(self.instance.phase)

    @property
    def is_npu(self) -> bool:
        """Whether it runs on Ascend NPUs."""
        return self.software is Software.VLLM_ASCEND

    @cached_property
    def per_server(self) -> int:
        """Devices of a server; those of an instance where that is not known."""
        device = self.device
        if device.cards_per_server is None:
            return max(self.instance.devices, 1)
        return device.cards_per_server * device.dies_per_card

    @property
    def servers(self) -> int:
        """Servers of an instance."""
        return -(-self.instance.devices // self.per_server)

    @property
    def rank_devices(self) -> int:
        """Devices of a data-parallel rank."""
        return self.instance.devices // self.instance.layout.dp

    @property
    def local_ranks(self) -> int:
        """Data-parallel ranks of an instance on each of its servers."""
        return self.instance.layout.dp // self.servers

    @property
    def slots(self) -> int:
        """Instances on a server, where each has its devices, or a share of them."""
        places = self.per_server // self.instance.devices
        return max(1, places) * self.instance.engine.per_device

    @property
    def all_servers(self) -> int:
        """Servers of all instances."""
        if self.servers > 1:
            return self.servers * self.instance.count
        return -(-self.instance.count // self.slots)


@define(slots=False, frozen=True, eq=False)
class LaunchPlan:
    """A configuration to launch, and where it comes from.

    Attributes:
        header: of the results.
        study: whose configuration it is.
        configuration: the one that was chosen.
        number: its place in the report's table, from 1.
    """

    header: Header
    study: Study
    configuration: Configuration
    number: int

    @property
    def deployment(self) -> Deployment:
        """The deployment."""
        return self.study.deployment(self.configuration.deployment)

    @property
    def name(self) -> str:
        """What objects of a cluster are called: lower-case letters, digits and dashes."""
        text = f"{self.header.spec.removesuffix('.spec')}-{self.study.name}".lower()
        plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
        return "-".join(filter(None, plain.split("-")))[:40].strip("-") or "specc"

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The instances of each phase.

        Raises:
            CannotLaunchError: they cannot be launched.
        """
        return tuple(self._groups())

    def _groups(self) -> Iterator[Group]:
        apart = len(self.configuration.instances) > 1
        for instance in self.configuration.instances:
            deployment = self._deployment_of(instance)
            group = Group(
                role="serve" if instance.phase == Phase.WHOLE.value else instance.phase,
                instance=instance,
                deployment=deployment,
                flags=_flags(deployment),
                phases_apart=apart,
            )
            _check(group)
            yield group

    def _deployment_of(self, instance: Instance) -> Deployment:
        """Return the deployment as an instance has it."""
        phase = Phase(instance.phase)
        own = self.deployment.instances(phase)
        return next((one for one in own if one.devices == instance.devices), own[0])

    @property
    def apart(self) -> bool:
        """Whether prefill and decode are apart."""
        return len(self.configuration.instances) > 1


def _flags(deployment: Deployment) -> FlagList:
    engine = deployment.engine
    if engine.software is None:
        raise CannotLaunchError(
            f"'{deployment.name}' names no engine to launch",
            help="add to the deployment: engine { software = vllm_ascend }, and run it again: its "
            "defaults change the figures",
        )
    if deployment.device.vendor is None:
        raise CannotLaunchError(
            f"the device '{deployment.device.name}' has no vendor",
            help="add vendor = huawei, or nvidia, to the device",
        )
    try:
        return flags_of(engine.software, engine.version)
    except UnknownFlagsError as error:
        known = "vllm_ascend and vllm can be launched"
        raise CannotLaunchError(str(error), help=known) from None


def _check(group: Group) -> None:
    """Refuse what no script here can start."""
    instance, layout = group.instance, group.instance.layout
    label = instance.parallel
    if instance.phase != Phase.WHOLE.value and not group.phases_apart:
        raise CannotLaunchError(
            f"'{group.deployment.name}' has instances that {instance.phase} alone",
            help="a request needs both phases: mode = pd_ratio, or aggregated",
        )
    if group.device.vendor not in (Vendor.HUAWEI, Vendor.NVIDIA):
        raise CannotLaunchError(f"nothing is known of launching on '{group.device.name}'")
    if group.phases_apart and layout.dp > 1 and group.deployment.model.experts is None:
        raise CannotLaunchError(
            f"'{label}' has {layout.dp} data-parallel ranks of a dense model",
            why="vLLM takes ranks behind a proxy of models with experts alone",
            help="plan as many instances with DP = 1: parallel { dp = 1 }",
        )
    if group.servers == 1:
        return
    if instance.devices % group.per_server:
        raise CannotLaunchError(
            f"{instance.devices} devices of '{label}' do not fill servers of {group.per_server}",
            help="name another configuration: --configuration N",
        )
    spans = group.rank_devices > group.per_server
    if spans and (layout.dp > 1 or group.phases_apart):
        raise CannotLaunchError(
            f"a replica of '{label}' lies on several servers, and there is more than one",
            help="choose TP · PP of a replica within a server: --configuration N",
        )
    if not spans and layout.dp % group.servers:
        raise CannotLaunchError(
            f"{layout.dp} replicas of '{label}' cannot be dealt to {group.servers} servers",
            help="name another configuration: --configuration N",
        )
