"""A device as the calibrated rules see it: its peaks, relative to the device that was measured."""

from attrs import frozen

from specc.cost.precision import Format, peak
from specc.ir import CalibrationData, CubeUnit, Device
from specc.records import Record
from specc.units import Bytes, FlopPerSecond


@frozen(eq=False, repr=False)
class Machine(Record):
    """Peaks of a device, and what they make of measured times and rates.

    Attributes:
        cores: matrix cores.
        l2: bytes of the L2 cache.
        cube: peak rates of the matrix unit.
        compute: factor on rates of all cores or of caches: the ratio of the bf16 peaks.
        core: factor on rates of one core: the ratio of the bf16 peaks of a core.
        memory: factor on rates of memory: the ratio of the bandwidths.
    """

    cores: int
    l2: Bytes
    cube: CubeUnit
    compute: float
    core: float
    memory: float

    @classmethod
    def of(cls, device: Device, calibration: CalibrationData) -> "Machine":
        """Return a device relative to the one that a calibration was measured on."""
        compute = device.cube.bf16 / calibration.cube.bf16
        return cls(
            cores=device.cores,
            l2=calibration.l2,
            cube=device.cube,
            compute=compute,
            core=compute * calibration.cores / device.cores,
            memory=device.memory_bandwidth / calibration.memory_bandwidth,
        )

    @classmethod
    def measured(cls, calibration: CalibrationData) -> "Machine":
        """Return the measured device itself."""
        return cls(calibration.cores, calibration.l2, calibration.cube, 1.0, 1.0, 1.0)

    def peak(self, format_: Format) -> FlopPerSecond:
        """Return the peak of a format; 16 bit is bf16."""
        return self.cube.bf16 if format_ is Format.FP16 else peak(format_, self.cube)
