"""Rules of devices, number formats and layouts: what a deployment puts where."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import LIBRARY, deployment, study

RULES = (
    Rule(
        "E0431",
        "more devices than the interconnect connects",
        "The levels of a device say how many of them its interconnect connects: 8 in a node and "
        "256 nodes "
        "are 2048. One instance cannot be larger. Use fewer devices, or define a device with a "
        "larger network.",
        LIBRARY + "deployment a { model = qwen3_8b; device = test_device; devices = 3000 }",
        LIBRARY + "deployment a { model = qwen3_8b; device = test_device; devices = 2048 }",
    ),
    Rule(
        "E0432",
        "the device cannot compute in fp8",
        "The matrix unit of this device has no rate for fp8, so specc would have to guess the "
        "speed. "
        "If you chose no format, it is that of the checkpoint. Choose a format that the device "
        "has.",
        deployment("quant = fp8"),
        deployment("quant = w8a8_dynamic"),
    ),
    Rule(
        "E0433",
        "the device has no fp8 for the KV cache",
        "The device does not compute in fp8, so it cannot read a KV cache in fp8. An int8 cache "
        "has the "
        "same size.",
        deployment("formats { kv_cache = fp8 }"),
        deployment("formats { kv_cache = int8 }"),
    ),
    Rule(
        "E0434",
        "'execution' without the calibrated cost model",
        "'engine.execution' says how an engine launches the operators of a step. Only the "
        "calibrated cost model has times for that. Use a device with a calibration, and leave "
        "'calibration' "
        "out or set it to 'calibrated'.",
        deployment("engine { execution = eager }"),
        LIBRARY + "deployment a { model = qwen3_8b; device = atlas_800_a2_376t; devices = 8\n"
        "    engine { execution = eager } }",
    ),
    Rule(
        "E0435",
        "the device has no calibration",
        "'calibration = calibrated' asks for a cost model that is fitted to measured kernels of "
        "the "
        "device. There are none for this device. Leave the field out to use the reference cost "
        "model, "
        "or fit one with 'specc calibrate'.",
        deployment("calibration = calibrated"),
        deployment("calibration = reference"),
    ),
    Rule(
        "E0436",
        "a setting for experts, and the model has none",
        "The setting places or changes experts (MoE). A dense model has no experts, so it would "
        "change "
        "nothing. Remove it, or check the model.",
        deployment("parallel { ep = 8 }"),
        deployment("parallel { ep = 8 }", "model = qwen3_30b_a3b"),
    ),
    Rule(
        "E0437",
        "'micro_batches' without pipeline stages",
        "Micro batches keep the stages of a pipeline busy. With 'pp = 1' there is one stage and "
        "nothing "
        "to fill. Remove 'micro_batches', or set 'parallel.pp'.",
        deployment("engine { micro_batches = 4 }"),
        deployment("engine { micro_batches = 4 }; parallel { pp = 2 }"),
    ),
    Rule(
        "E0438",
        "'micro_batches' and 'two_streams' together",
        "Both cut a step into parts that overlap: micro batches across pipeline stages, two "
        "streams to "
        "hide communication. specc has no measurements of both at once. Use one of them.",
        deployment(
            "engine { micro_batches = 4 }; parallel { pp = 2 }; communication { two_streams = "
            "true }",
            "model = qwen3_30b_a3b",
        ),
        deployment("engine { micro_batches = 4 }; parallel { pp = 2 }", "model = qwen3_30b_a3b"),
    ),
    Rule(
        "E0439",
        "a deployment has no possible layout",
        "Every combination of tp, pp, dp, cp and ep was ruled out: sizes must divide the devices, "
        "the "
        "heads and the experts. The message names the reasons; 'specc plan' lists every layout "
        "that "
        "was ruled out. Allow more sizes, or change the number of devices.",
        study("deployments = a3", a3="parallel { tp = [3, 5] }"),
        study("deployments = a3", a3="parallel { tp = [2, 4] }"),
    ),
    Rule(
        "E0440",
        "the software does not run on the device",
        "Each engine runs on devices of some vendors: vllm on NVIDIA and AMD, vllm_ascend and "
        "mindie on Ascend, sglang on all. Name one that runs on the device, or leave 'software' "
        "out.",
        deployment("engine { software = vllm }", device="atlas_800_a2_376t"),
        deployment("engine { software = vllm_ascend }", device="atlas_800_a2_376t"),
    ),
)
