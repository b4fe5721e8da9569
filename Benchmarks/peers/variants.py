"""The variants to measure: Meno's and each configuration of a peer. All other settings are those of the notebook."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    system: str                       # meno | trainer | trl
    weights: str = "float32"          # what the frozen weights are kept in
    autocast: bool = False            # bf16: true of TrainingArguments
    checkpointing: bool = False       # gradient_checkpointing
    per_device: int = 2               # examples of a micro-batch; accumulation makes up the effective batch
    packing: bool = False             # examples packed into rows: other batches than everybody else's
    padding_free: bool = False
    compile: bool = False             # torch_compile
    packed: bool = False              # frozen weights in four bits (NF4), as `load_in_4bit` makes them
    default: bool = True              # measured unless variants are chosen

    @property
    def products(self):
        """The type of its matrix products."""
        return "bfloat16" if self.autocast or self.weights == "bfloat16" else "float32"


SEED = "trainer-seed"
SEED_FLOAT32 = "trainer-seed-float32"

VARIANTS = [
    Variant("meno-bfloat16", "meno", weights="bfloat16"),
    Variant("meno-nf4", "meno", weights="bfloat16", packed=True, default=False),
    Variant("meno-float32", "meno"),
    Variant("meno-float32-checkpointing", "meno", checkpointing=True, default=False),
    # The notebook's section 4.3, word for word, and the same without bf16, for processors that have no bf16 products.
    Variant(SEED, "trainer", autocast=True, checkpointing=True),
    Variant(SEED_FLOAT32, "trainer", checkpointing=True),
    # What a user would try to make it faster.
    Variant("trainer-autocast", "trainer", autocast=True),
    Variant("trainer-bfloat16", "trainer", weights="bfloat16"),
    Variant("trainer-bfloat16-4x4", "trainer", weights="bfloat16", per_device=4),
    Variant("trainer-bfloat16-16x1", "trainer", weights="bfloat16", per_device=16),
    Variant("trainer-float32", "trainer"),
    Variant("trainer-float32-4x4", "trainer", per_device=4),
    Variant("trainer-float32-16x1", "trainer", per_device=16),
    Variant("trainer-float32-compile", "trainer", compile=True, default=False),
    # TRL's trainer forms its loss without keeping logits. Padding-free has the same examples a step as everybody else.
    Variant("trl-bfloat16-padding-free", "trl", weights="bfloat16", per_device=16, padding_free=True),
    Variant("trl-float32-padding-free", "trl", per_device=16, padding_free=True),
    Variant("trl-bfloat16-packing", "trl", weights="bfloat16", packing=True),
    Variant("trl-float32-packing", "trl", packing=True),
]
BY_NAME = {variant.name: variant for variant in VARIANTS}
QUICK = ["meno-float32", SEED_FLOAT32, "trainer-float32", "trl-float32-padding-free", "trl-float32-packing"]
