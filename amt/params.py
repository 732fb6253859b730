"""The schema of params.yaml: what is built. Where and how fast is amt/placement.py.

Defaults live once, in params.yaml: no field here has one, so a recipe is always complete. Every unknown
key, wrong type or value out of bounds fails before any job starts. Fields cite the section of the
AM-Thinking-v1 paper that they come from.
"""

import re
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from amt.errors import ParamsError
from amt.licences import LICENCES, is_known
from amt.yaml12 import reads_yaml12

Probability = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
LanguageCode = Annotated[str, Field(pattern="^[a-z]{2,3}$")]
"""ISO 639: en, zh, de, ..."""
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
"""What names files and rules."""


def _is_commit(revision: str) -> str:
    """A branch or a tag names other content tomorrow, and a shortened hash the hub does not take."""
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(f": {revision!r} is no commit: of that, all 40 digits (0-9a-f) are needed")
    return revision


Commit = Annotated[str, AfterValidator(_is_commit)]
"""Full hash of a commit on the hub. `git ls-remote` of a page's address prints the newest, beside HEAD."""


def _is_text(day: Any) -> Any:
    """Without quotes a day is no text to YAML, and DVC cannot remember a run by it."""
    if isinstance(day, date):
        raise ValueError(f': {day} stands without quotes. Write "{day}"')
    return day


Day = Annotated[date, BeforeValidator(_is_text)]
Category = Literal["math", "code", "science", "instruction_follow", "general_chat"]

SOURCES = (
    "openr1_math_220k", "big_math_rl_verified", "data_ablation_full59k", "numinamath", "metamathqa", "amc_2023",
    "deepmath_103k", "aime_1983_2024", "prime_eurus2", "deepcoder", "kodcode_v1", "livecodebench_generation",
    "codeforces_cots", "verifiable_coding", "opencoder", "openthoughts_code", "acecode_87k", "task_mmmlu",
    "chemistryqa", "nemotron_science", "logic_701", "ncert_physics_11", "ncert_physics_12", "ncert_chemistry_11",
    "ncert_chemistry_12", "ncert_biology_11", "ncert_biology_12", "logiclm", "nemotron_if", "tulu3_if", "evol",
    "infinity_instruct", "open_orca", "tulu3_chat", "natural_reasoning", "flan", "ultra_chat", "openhermes_2_5",
)  # fmt: skip
"""The paper's 38 datasets [2.1], each with an adapter and sample rows in amt.sources. They stand here too because a
recipe is checked without importing any stage."""
STANDIN_QUESTIONS = {"math": 400, "arena": 48}
"""Questions of the stand-in evaluation set of a kind (amt.standins.benchmarks); other kinds have none."""


class Section(BaseModel):
    """Keys that must agree are checked by `faults`, whose messages begin with the key at fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _keys_agree(self):
        if found := list(self.faults()):
            raise ValueError("\n".join(found))
        return self

    def faults(self) -> Iterator[str]:
        yield from ()


# --- collect [2.1] ---------------------------------------------------------------------------------------


class Source(Section):
    """One dataset of section 2.1."""

    origin: Literal["samples", "hub", "local"]
    """samples: the rows that ship with the adapter. hub: Hugging Face, at `revision`. local: files at `path`."""
    revision: Commit | None
    """Commit of the dataset on the hub. Null with origin hub is enough to plan; fetching then fails and names this
    key."""
    path: str | None
    """File or folder with rows in the dataset's published form (JSON lines, a JSON array, Parquet, CSV, TSV); null
    unless the origin is local. Of a folder with a card (README.md) that declares configurations, those of the dataset
    are read, and its split; of others, where files or folders bear the names of these, only such, and none that is
    named after another split."""
    limit: Positive | None
    """Rows to take, from the first; null takes all."""
    shards: Positive
    """Parts that its queries are cut into, each with jobs of its own until the sources are merged."""


class Collect(Section):
    contests_before: Day
    """Rows from programming contests of this day or later are left out: they are of the evaluation window, or after it
    [2.1, 5.1.1]. No code benchmark may take questions of days before it."""
    exclude_licences: list[str]
    """Licences whose rows are left out, by their names in amt.licences: cc-by-nc-4.0, not declared, ..."""

    def faults(self) -> Iterator[str]:
        for name in self.exclude_licences:
            if not is_known(name):
                yield f"exclude_licences: there is no licence {name} (there are: {', '.join(LICENCES)})"


class Window(Section):
    """Days on which a question was published, both included."""

    first: Day
    """First day."""
    last: Day
    """Last day."""

    def faults(self) -> Iterator[str]:
        if self.last < self.first:
            yield f"last: {self.last} lies before first ({self.first})"


class Benchmark(Section):
    """One evaluation set [5.1.1]. It is also an input of decontamination [2.2]."""

    kind: Literal["math", "arena", "code", "instructions"]
    """What judges the answers: math the ground truth, code the tests, arena endpoints.arena_judge [5.1.1], instructions
    the checks of IFEval, whose score is that of whole prompts in strict mode; the loose mode is reported beside it."""
    origin: Literal["standin", "hub"]
    """standin: generated questions in the form of the kind. hub: Hugging Face, at `revision`."""
    hub_id: str | None
    """Dataset on the hub; null with origin standin."""
    hub_config: str | None
    """Configuration (version) of the dataset on the hub, e.g. release_v5 of LiveCodeBench."""
    revision: Commit | None
    """As of a source."""
    window: Window | None
    """Only questions published in it; null takes all [5.1.1: LiveCodeBench of October 2024 to February 2025]."""
    questions: Positive | None
    """Questions to take, from the first. Null takes all of a hub's set; a stand-in set needs a number."""
    samples: Positive
    """Responses per question [5.1.2]."""
    prompt_suffix: str
    """Appended to every question [5.1.3]."""
    evaluate: bool
    """false: only decontaminated against."""


# --- curate [2.2] ----------------------------------------------------------------------------------------


class Fingerprint(Section):
    """MinHash of a query, made once where its source comes in [2.2; the paper says only "duplicates"]."""

    shingle_words: Positive
    """Words of one shingle."""
    permutations: Positive
    """Hashes of a MinHash signature: the more, the closer the estimate of the similarity."""


class NearDuplicates(Section):
    bands: Positive
    """Parts that a signature is cut into; two queries are compared if they agree in one of them."""
    jaccard: Probability
    """Estimated Jaccard similarity of the shingles from which two queries with the same formulas are one."""
    numbers: Positive
    """Numbers that two queries must share to be one by `jaccard_with_numbers`."""
    jaccard_with_numbers: Probability
    """The same for queries with at least so many numbers that also agree in words such as "more" and "first"."""


class Unique(Section):
    near_duplicates: NearDuplicates
    """Which queries count as one besides those of equal text [2.2; the paper says only "duplicates"]."""
    source_order: list[str]
    """Of several equal rows the one whose source stands first is kept; unlisted sources come last."""

    def faults(self) -> Iterator[str]:
        for name in self.source_order:
            if name not in SOURCES:
                yield f"source_order: there is no source {name} (nearest: {_nearest_source(name)})"


class Clean(Section):
    asy_is_image: bool
    """Whether [asy] drawing code counts as an image reference."""
    languages: Annotated[list[LanguageCode], Field(min_length=1)] | None
    """Languages in which a query may be asked; null lets all in [open in the paper]."""
    language_confidence: Probability
    """Confidence in another language from which a query is left out: below it there is too little text to judge."""


class Decontaminate(Section):
    ngram_words: Positive
    """Words of one n-gram."""
    ngram_coverage: Probability
    """Share of a benchmark item's n-grams, weighted by rarity, from which a query with the item's numbers is removed
    without asking the embedding."""
    cosine: Probability
    """Embedding similarity from which a query with the item's numbers is removed (paper: semantic deduplication, no
    figure)."""
    cosine_without_numbers: Probability
    """The same where numbers say nothing."""
    number_bits: PositiveFloat
    """Agreement of the numbers, in bits, from which `cosine` and `ngram_coverage` are enough; with less of it more
    similarity is needed."""
    cosine_code: Probability
    """Similarity from which a query is removed as a copy of a programming task, less what shared words are worth."""
    embedding_model: str
    """Sentence-embedding model that the cosines are of: the name of an installed package, or a folder."""

    def faults(self) -> Iterator[str]:
        if self.cosine_without_numbers < self.cosine:
            yield (
                f"cosine_without_numbers: {self.cosine_without_numbers} is below cosine ({self.cosine}), which is what "
                "agreeing numbers lower it to"
            )


COPY_KINDS = ("verbatim", "light", "heavy", "embedded", "paraphrased", "translated")
"""Ways to copy a benchmark item (amt.curate.copies)."""


class Certificate(Section):
    """What decontamination must prove on copies of the very benchmarks that it removed, and on rows that are none."""

    copies_per_kind: Positive
    """Benchmark items of which one copy of each kind is planted, drawn by the seed: of every benchmark as many as of
    the others, or all where it has fewer."""
    min_recall: dict[Literal["verbatim", "light", "heavy", "embedded", "paraphrased", "translated"], Probability]
    """Share of the copies of a kind that must be found, or the build fails; 0 asks for nothing."""
    clean_sources: list[str]
    """Sources that hold no benchmark item for a reason that is known beforehand, such as their date; those that are in
    the build count. An empty list measures no false positives."""
    max_false_positives: Probability
    """Share of the rows of clean sources that may be removed, or the build fails."""

    def faults(self) -> Iterator[str]:
        for name in self.clean_sources:
            if name not in SOURCES:
                yield f"clean_sources: there is no source {name} (nearest: {_nearest_source(name)})"
        if missing := [kind for kind in COPY_KINDS if kind not in self.min_recall]:
            yield f"min_recall: lacks {', '.join(missing)}"


class Endpoint(Section):
    """A role played by a model behind an OpenAI-compatible address. `standin/...` is scripted on loopback."""

    model: str
    """Name that is sent with every request. `standin/...` needs no address."""
    temperature: Annotated[float, Field(ge=0, le=2)]
    """Sampling temperature."""
    top_p: PositiveShare
    """Probability mass that is sampled from."""
    max_tokens: Positive
    """Most tokens of one reply."""


class Endpoints(Section):
    teacher: Endpoint
    """DeepSeek-R1 [2.2.1]: synthetic responses and ground-truth votes."""
    second_opinion: Endpoint
    """o4-mini [2.2.1]."""
    clarity_judge: Endpoint
    """The LLM that filters unclear or incomplete queries [2.2.1]."""
    rewriter: Endpoint
    """Rewrites multiple-choice queries as fill-in [2.2.1], and judges whether a rewriting asks the same."""
    paraphraser: Endpoint
    """Paraphrases and translates benchmark items, by which decontamination is tried [open in the paper]."""
    arena_judge: Endpoint
    """GPT-4-Turbo-1106 [5.1.1]."""


class VerifyMath(Section):
    answers: Positive
    """Answers of the teacher per query. What more than half of them say is compared with the ground truth [2.2.1]."""
    multiple_choice: Literal["rewrite", "drop"]
    """rewrite: multiple-choice queries become fill-in-the-blank [2.2.1]. drop: they are left out."""
    not_applicable: Literal["keep", "drop"]
    """Multiple-choice queries that the rewriter calls not applicable ("which of the following ..."), or whose ground
    truth is no option in the text [open in the paper]."""
    unresolved: Literal["keep", "drop"]
    """Queries whose teacher majority is another than the ground truth, or that have none, while the second opinion
    settles nothing [open in the paper]."""


# --- responses [2.3] -------------------------------------------------------------------------------------


class Responses(Section):
    samples: Positive
    """Responses per query [2.3]."""
    system_prompt: str
    """Given to the teacher, the SFT samples, the rollouts and the evaluation alike [5.1.3]."""


class FilterResponses(Section):
    max_perplexity: PositiveFloat
    """Responses above it are dropped [2.3; the paper gives no figure]."""
    ngram_words: Positive
    """Shortest phrase, in words (letters of scripts without spaces), whose consecutive repetition counts [2.3; no
    figure given]."""
    ngram_repeats: Annotated[int, Field(ge=2)]
    """Consecutive occurrences from which a response is dropped [2.3; the paper gives no figure]."""


class Head(Section):
    """One of the three scores of the reward model."""

    column: Annotated[int, Field(ge=0)]
    """Which of the model's outputs, counted from 0. Of a model with a single one, 0 for all three heads."""
    range: tuple[float, float]
    """Range of the score that is mapped to [0, 1], values outside clipped [3.2; no figure given]."""

    def faults(self) -> Iterator[str]:
        low, high = self.range
        if low >= high:
            yield f"range: [{low}, {high}], but the first, which becomes 0, must lie below the second"


class Heads(Section):
    helpfulness: Head
    """How far the response serves what was asked for."""
    correctness: Head
    """How far it is right."""
    coherence: Head
    """How far it is clear and of one piece."""


class Score(Section):
    heads: Heads
    """Where the reward model puts its three scores, and on which scale [3.2]; their mean is the reward."""
    too_long: Literal["cut_response", "cut_prompt", "invalid"]
    """What becomes of a response that does not fit into the reward model's context with its prompt [3.2; no rule
    given]. cut_response: the middle of the response is left out; cut_prompt: that of the prompt; the beginning and the
    end always stay. invalid: it is not judged."""


class Sandbox(Section):
    cpu_seconds: PositiveFloat
    """CPU time of one test."""
    wall_seconds: PositiveFloat
    """Time of one test by the clock; it also ends programs that sleep."""
    memory_mb: Positive
    """Address space of one test, in 2**20 bytes."""
    output_bytes: Positive
    """Most bytes of a test's standard output, and of every file that it writes."""
    compile_seconds: PositiveFloat
    """CPU time of compiling one submission; 4 times as much by the clock."""
    compile_memory_mb: Annotated[int, Field(ge=256)]
    """Address space of each process of the compiler, in 2**20 bytes."""
    allow_unprotected: bool
    """true: run model-written code even where no isolation is available. Never on a shared machine."""

    def faults(self) -> Iterator[str]:
        if self.wall_seconds < self.cpu_seconds:
            yield f"wall_seconds: {self.wall_seconds} is below cpu_seconds ({self.cpu_seconds})"


# --- models ----------------------------------------------------------------------------------------------


class Architecture(Section):
    """Qwen2 architecture of the stand-in models; null in the recipe where a model comes from the hub."""

    layers: Positive
    """Transformer layers."""
    hidden: Positive
    """Width of the residual stream."""
    heads: Positive
    """Attention heads per layer."""
    kv_heads: Positive
    """Key and value heads per layer, shared by the attention heads."""
    ffn: Positive
    """Width of the feed-forward part."""
    vocabulary: Annotated[int, Field(ge=300)]
    """All 256 bytes and the markup of a conversation are tokens."""
    context: Positive
    """Most tokens of a prompt with its response."""

    def faults(self) -> Iterator[str]:
        if self.hidden % (2 * self.heads):
            # Rotary embedding turns pairs.
            yield f"heads: {self.heads} does not divide hidden ({self.hidden}) into parts of an even size"
        if self.heads % self.kv_heads:
            yield f"kv_heads: {self.kv_heads} does not divide heads ({self.heads})"


class Pretraining(Section):
    tokens: Positive
    """Tokens trained on in all."""
    batch_tokens: Positive
    """Tokens per optimizer step; the last document goes over."""
    learning_rate: PositiveFloat
    """Peak, after a warm-up; then cosine to a tenth."""


class BaseLanguageModel(Section):
    origin: Literal["standin", "hub"]
    """standin: trained here from random weights. hub: Hugging Face, at `revision` [4.1: Qwen2.5-32B]."""
    hub_id: str | None
    """Model on the hub; null with origin standin."""
    revision: Commit | None
    """Commit of the model on the hub. Null with origin hub is enough to plan, not to fetch."""
    architecture: Architecture | None
    """Of the stand-in; null with origin hub."""
    pretraining: Pretraining | None
    """Of the stand-in; null with origin hub."""


class RewardModel(Section):
    """Three heads: helpfulness, correctness, coherence [3.2]."""

    origin: Literal["standin", "hub"]
    """standin: trained here on generated comparisons. hub: Hugging Face, at `revision`."""
    hub_id: str | None
    """Model on the hub; null with origin standin."""
    revision: Commit | None
    """Commit of the model on the hub. Null with origin hub is enough to plan, not to fetch."""
    comparisons: Annotated[int, Field(ge=64)] | None
    """Generated comparisons that the stand-in is trained on; some more, a share of them, are held out to judge it."""
    learning_rate: PositiveFloat | None
    """Peak of the stand-in's training; null with origin hub."""


class Models(Section):
    base: BaseLanguageModel
    """What supervised fine-tuning starts from [4.1], and by which the perplexity of responses is judged [2.3]."""
    reward: RewardModel
    """Judges responses that no rule can judge [3.2]."""


# --- SFT [4.1] -------------------------------------------------------------------------------------------


class SftSet(Section):
    max_responses: Positive
    """Most responses kept of one query."""
    hard_below: Probability
    """Queries whose pass rate is below it are hard and keep up to max_responses; others keep one."""
    hard_below_reward: Probability
    """The same of queries that a reward model judges, for their mean reward."""
    min_score: Probability
    """Responses scored below it are not trained on."""
    upsample: dict[Category, Positive]
    """Times that each sample of a category is repeated [4.1; figures not given]."""
    max_samples: dict[Category, Positive | None]
    """Most samples of a category, repeats included: of queries drawn by the seed, until the next would be too much.
    Null takes all [Figure 4]."""


class Sft(Section):
    learning_rate: PositiveFloat
    """Peak [4.1]."""
    epochs: Positive
    """Times that every packed sequence is seen [4.1]."""
    global_batch: Positive
    """Packed sequences per optimizer step."""
    max_tokens: Positive
    """Length of a packed sequence; longer samples are discarded."""
    warmup: Probability
    """Share of all steps; then cosine to 0."""
    weight_decay: Annotated[float, Field(ge=0)]
    """AdamW's, of matrices only [open in the paper]."""
    adam_beta2: Decay
    """Decay of Adam's mean of squared gradients [open in the paper]."""
    clip_grad: PositiveFloat
    """Largest norm of the gradient of all parameters together [open in the paper]."""
    checkpoints: Positive
    """Evenly spaced checkpoints kept, the last one included [5.3]."""


# --- RL [4.2] --------------------------------------------------------------------------------------------


class MeasuredQueries(Section):
    math: Positive | None
    """Most math queries."""
    code: Positive | None
    """Most code queries."""


class PassRates(Section):
    queries: MeasuredQueries
    """Most queries of a category to measure, drawn by the seed; null measures all, as the paper does."""
    samples: Positive
    """Responses of the SFT model per query."""
    temperature: PositiveFloat
    """Of sampling [open in the paper]; top-p is 1."""
    max_tokens: Positive
    """Most tokens per response [open in the paper]."""


class RlSet(Section):
    """Queries of a GRPO stage by category; null takes all that qualify."""

    stage1: Annotated[dict[Literal["math", "code"], Positive | None], Field(min_length=1)]
    """Of those solved sometimes: pass rates are measured of these two."""
    stage2: dict[Literal["science", "instruction_follow", "general_chat"], Positive | None]
    """Only what is added to stage 1's math and code: more of these two would be queries that stage 1 left out for
    being always or never solved."""


class Plateau(Section):
    """A stage ends early when the smoothed reward stops rising [4.2; the rule is not given]."""

    window: Positive
    """Steps averaged."""
    patience: Positive
    """Steps without a new best of that average, after which the stage ends."""
    min_gain: Annotated[float, Field(ge=0)]
    """Reward, 0..1, by which an average must exceed the best so far to be a new best."""


class GrpoStage(Section):
    learning_rate: PositiveFloat
    """The same at every step [4.2]."""
    max_steps: Positive
    """Steps after which the stage ends without a plateau."""
    max_response_tokens: Positive
    """Tokens at which a response is cut off [4.2]."""
    overlong_tokens: Positive
    """Responses longer than this get advantage 0."""
    plateau: Plateau
    """When the stage ends before max_steps."""

    def faults(self) -> Iterator[str]:
        if self.overlong_tokens > self.max_response_tokens:
            yield f"overlong_tokens: {self.overlong_tokens} is above max_response_tokens ({self.max_response_tokens})"


class Grpo(Section):
    prompts: Positive
    """Queries a step."""
    group_size: Annotated[int, Field(ge=2)]
    """Rollouts a query."""
    temperature: PositiveFloat
    """Of the rollouts; only 1 is on-policy. Top-p is 1."""
    kl_coefficient: Literal[0]
    """The paper removes the KL term; the trainer has none."""
    scale_by_std: bool
    """Whether advantages are divided by the standard deviation of their group's rewards."""
    overlong_in_group_mean: bool
    """Whether an over-long sample counts in its group's mean and deviation [open in the paper]."""
    overlong_in_denominator: bool
    """Whether its tokens count in the loss denominator [open in the paper]."""
    loss_denominator: Literal["tokens", "sequences"]
    """tokens: one mean over all tokens of the step. sequences: mean of means [open in the paper]."""
    clip_ratio: PositiveFloat
    """PPO clip; without effect while training is strictly on-policy."""
    clip_grad: PositiveFloat
    """Largest norm of the gradient of all parameters together [open in the paper]."""
    adam_beta2: Decay
    """Decay of Adam's mean of squared gradients [open in the paper]."""
    weight_decay: Annotated[float, Field(ge=0)]
    """AdamW's, of matrices only [open in the paper]."""
    stage1: GrpoStage
    """Math and code [4.2]."""
    stage2: GrpoStage
    """What stage 1 did not always solve, general chat and instruction following [4.2]."""

    def faults(self) -> Iterator[str]:
        if self.temperature != 1.0:
            yield (
                f"temperature: {self.temperature}, but the trainer's log-probabilities are those of temperature 1: "
                "the step would not be on-policy. Set it to 1.0"
            )


# --- evaluation [5] --------------------------------------------------------------------------------------


class Evaluation(Section):
    temperature: PositiveFloat
    """Of sampling, in all benchmarks and the curve [5.1.2]."""
    top_p: PositiveShare
    """Probability mass that is sampled from [5.1.2]."""
    max_tokens: Positive
    """Most tokens per response [5.1.2]."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """Share of repetitions in which a reported interval is to hold the true value, 0..1."""
    curve_benchmark: str
    """Benchmark on which length and stop ratio are followed over the SFT checkpoints [5.3]."""
    curve_questions: Positive
    """Questions of that benchmark, the first by row_id."""
    curve_samples: Positive
    """Responses per question and checkpoint."""


class Curate(Section):
    shards: Positive
    """Parts that the merged queries are cut into, each with jobs of its own until the SFT set."""
    fingerprint: Fingerprint
    """What of each query is compared with others [2.2]."""
    unique: Unique
    """Removal of duplicates [2.2]."""
    clean: Clean
    """Removal of queries with URLs or image references [2.2]."""
    decontaminate: Decontaminate
    """Removal of queries like those of the benchmarks [2.2]."""
    certificate: Certificate
    """What that removal must find of planted copies [open in the paper]."""
    verify_math: VerifyMath
    """Clarity and ground truths of math queries [2.2.1]."""

    def faults(self) -> Iterator[str]:
        bands, permutations = self.unique.near_duplicates.bands, self.fingerprint.permutations
        if permutations % bands:
            yield (f"unique.near_duplicates.bands: {bands} does not divide fingerprint.permutations ({permutations})")


class Published(Section):
    """What the paper reports of its own run: shown beside ours in the report, read by no stage."""

    scores: dict[str, Probability]
    """Score a benchmark [Table 1]."""


class Recipe(Section):
    name: str
    """The MLflow experiment, and the title of the report."""
    seed: int
    """From it, the stage and the row comes the seed of every random choice."""
    published: Published | None
    """The paper's own results; null where there is nothing to compare with."""
    sources: Annotated[dict[str, Source], Field(min_length=1)]
    """Datasets by name (SOURCES) [2.1]."""
    collect: Collect
    """What of the datasets may come in."""
    benchmarks: dict[Name, Benchmark]
    """Evaluation sets by a name of your own [5.1.1]."""
    curate: Curate
    """Which queries stay [2.2]."""
    endpoints: Endpoints
    """The models that are asked through an API."""
    responses: Responses
    """Synthetic responses of the teacher [2.3]."""
    filter_responses: FilterResponses
    """Which responses stay [2.3]."""
    score: Score
    """Scale of the reward model's scores [3.2]."""
    sandbox: Sandbox
    """Limits of model-written code [3.1.2]."""
    models: Models
    """The models that training and scoring start from."""
    sft_set: SftSet
    """Which scored responses are trained on, and how often [4.1]."""
    sft: Sft
    """Supervised fine-tuning [4.1]."""
    pass_rates: PassRates
    """How often the SFT model solves a math or code query [4.2]."""
    rl_set: RlSet
    """Which queries the two stages of GRPO train on [4.2]."""
    grpo: Grpo
    """Reinforcement learning [4.2]."""
    evaluation: Evaluation
    """Sampling and statistics of the evaluation [5.1.2, 5.3]."""

    def faults(self) -> Iterator[str]:
        for name, source in self.sources.items():
            yield from _source_faults(name, source)
        for name, benchmark in self.benchmarks.items():
            yield from _benchmark_faults(f"benchmarks.{name}", benchmark)
            if benchmark.kind == "code":
                yield from _trained_on(f"benchmarks.{name}.window", benchmark.window, self.collect.contests_before)
        yield from _lacking("models.base", self.models.base, standin=("architecture", "pretraining"))
        yield from _lacking("models.reward", self.models.reward, standin=("comparisons", "learning_rate"))
        if self.evaluation.curve_benchmark not in self.benchmarks:
            yield (
                f"evaluation.curve_benchmark: {self.evaluation.curve_benchmark} is not a benchmark "
                f"(there are: {', '.join(self.benchmarks)})"
            )
        if not any(benchmark.evaluate and benchmark.kind != "arena" for benchmark in self.benchmarks.values()):
            yield "benchmarks: none but arenas has evaluate: true, and the report compares the models on another one"
        if self.models.base.architecture is not None and self.models.base.origin == "standin":
            yield from self._too_long(self.models.base.architecture.context)

    def _too_long(self, context: int) -> Iterator[str]:
        """Lengths that the stand-in does not take. What a model of the hub takes is known once it is here."""
        if self.sft.max_tokens > context:
            yield f"sft.max_tokens: {self.sft.max_tokens} is above models.base.architecture.context ({context})"
        for key, tokens in (
            ("pass_rates.max_tokens", self.pass_rates.max_tokens),
            ("grpo.stage1.max_response_tokens", self.grpo.stage1.max_response_tokens),
            ("grpo.stage2.max_response_tokens", self.grpo.stage2.max_response_tokens),
            ("evaluation.max_tokens", self.evaluation.max_tokens),
        ):
            if tokens >= context:
                yield f"{key}: {tokens} leaves no room for a prompt in models.base.architecture.context ({context})"


def _source_faults(name: str, source: Source) -> Iterator[str]:
    if name not in SOURCES:
        yield (
            f"sources.{name}: no such source (nearest: {_nearest_source(name)}). For a dataset of your own write an "
            "adapter in amt/sources and list its name in amt/params.py"
        )
    if (source.origin == "local") != (source.path is not None):
        yield f"sources.{name}.path: {source.path or 'null'}, but its origin is {source.origin}"


def _nearest_source(name: str) -> str:
    return get_close_matches(name, SOURCES, n=1, cutoff=0)[0]


def _benchmark_faults(key: str, benchmark: Benchmark) -> Iterator[str]:
    yield from _lacking(key, benchmark, standin=())
    if benchmark.origin == "hub":
        return
    if benchmark.kind not in STANDIN_QUESTIONS:
        yield f"{key}.kind: {benchmark.kind} has no stand-in (there are: {', '.join(STANDIN_QUESTIONS)})"
        return
    most = STANDIN_QUESTIONS[benchmark.kind]
    if benchmark.questions is None or benchmark.questions > most:
        given = "null" if benchmark.questions is None else benchmark.questions
        yield f"{key}.questions: {given}, but the stand-in set of kind {benchmark.kind} has {most}"


def _trained_on(key: str, window: Window | None, contests_before: date) -> Iterator[str]:
    first = date.min if window is None else window.first
    if first < contests_before:
        begins = f"null, which is all days since {first}" if window is None else f"it begins on {first}"
        yield (
            f"{key}: {begins}, but contests before {contests_before} are trained on. Set collect.contests_before to "
            f'"{first}" or earlier, or begin later'
        )


def _lacking(
    key: str, section: Benchmark | BaseLanguageModel | RewardModel, *, standin: tuple[str, ...]
) -> Iterator[str]:
    for name in ("hub_id",) if section.origin == "hub" else standin:
        if getattr(section, name) is None:
            yield f"{key}.{name}: null, but its origin is {section.origin}"


# --- reading ---------------------------------------------------------------------------------------------


Content = TypeVar("Content", bound=BaseModel)


def load(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ParamsError: lists every faulty key with what was given.
    """
    return validated(Recipe, _content(path), path)


def load_for_stage(path: str | Path) -> Recipe:
    """As `load`, with the keys of every mapping sorted: their order is no part of an artifact, so none may show it."""
    return validated(Recipe, _sorted(_content(path)), path)


def _content(path: str | Path) -> Any:
    content = read_yaml(path)
    if content is None:
        raise ParamsError(f"{path} is empty.")
    return content


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds; None if it is empty.

    Raises:
        ParamsError: it cannot be read, is not YAML, or has a key twice.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, _Loader)
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist.") from None
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8: {error.reason} (0x{error.object[error.start]:02x}).") from None
    except (yaml.YAMLError, ValueError) as error:  # the latter for a date such as 2025-02-30
        raise ParamsError(f"{path} is not YAML: {error}") from None


@reads_yaml12
class _Loader(yaml.SafeLoader):
    """Of a key that stands twice, YAML's own loader takes the last and says nothing."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # what cannot be a key is refused when the mapping is made
            if key.value in first:
                lines = f"lines {first[key.value]} and {key.start_mark.line + 1}"
                raise ParamsError(f"{key.start_mark.name} has the key {key.value} twice in one place ({lines}).")
            first[key.value] = key.start_mark.line + 1
        return node


def validated(model: type[Content], content: Any, where: str | Path) -> Content:
    """`content`, read from the file `where`, as a model.

    Raises:
        ParamsError: lists every faulty key with what was given.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [line for item in error.errors() for line in _faults(item)]
        raise ParamsError(
            f"{where} has {len(faults)} fault(s):\n" + "\n".join(f"  {line}" for line in faults)
        ) from None


def _faults(item: dict[str, Any]) -> list[str]:
    key = ".".join(map(str, item["loc"]))
    if not key and item["type"] == "model_type":
        return [f"it holds no keys but {str(item['input'])[:80]!r}"]
    if item["type"] == "value_error":  # of Section.faults
        lines = str(item["ctx"]["error"]).splitlines()
        # Of a section, a line begins with the key within it; of a field, with what is wrong.
        return [key + line if line.startswith(":") else ".".join(filter(None, [key, line])) for line in lines]
    if item["type"] == "extra_forbidden":
        return [f"{key}: unknown key"]
    if item["type"] == "missing":
        return [f"{key}: missing"]
    return [f"{key}: {item['msg']} (given: {item['input']!r})"]


def section_values(recipe: Recipe, *keys: str) -> dict[str, Any]:
    """{key: plain value} of dotted keys such as "curate.unique": what a rule declares that it reads."""
    content = recipe.model_dump(mode="json")
    values = {}
    for key in keys:
        value = content
        for part in key.split("."):
            value = value[part]
        values[key] = value
    return values
