"""From single rounds to what is reported: medians with minimum and maximum, ratios, targets."""
import statistics

from .process import Failed

LOAD_MEASURES = ("rate", "cpu", "user", "system", "p50", "p99", "p999", "loaded_mb", "others", "failed")
# Above this share of other work on both CPUs, figures are not to be trusted.
QUIET = 0.05


def spread(values):
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(scenario, results):
    """Adds `summary` to each contestant of a scenario's results, and `targets`, and whether it was quiet."""
    by_label = {contestant["label"]: contestant for contestant in results["contestants"]}
    for contestant in results["contestants"]:
        rounds = contestant.get("rounds")
        if rounds:
            contestant["summary"] = {name: spread([one[name] for one in rounds]) for name in LOAD_MEASURES}
    results["targets"] = [_target(target, by_label) for target in scenario.targets]
    shares = [one["others"] for contestant in results["contestants"] for one in contestant.get("rounds", [])]
    if shares:
        results["others"] = spread(shares)
        results["quiet"] = results["others"]["median"] <= QUIET


def _target(target, by_label):
    result = {"measure": target.measure, "subject": target.subject, "reference": target.reference,
              "limit": target.limit, "at_least": target.at_least, "value": None, "met": None}
    subject = by_label.get(target.subject)
    reference = by_label.get(target.reference)
    if subject is None or (target.reference and reference is None):
        return result
    if target.measure == "failed":
        result["value"] = spread([sum(one["failed"] for one in subject["rounds"])])
    elif target.measure in LOAD_MEASURES:
        # Rounds are compared pairwise: the machine's speed drifts, but hardly between neighbours.
        pairs = zip(subject["rounds"], reference["rounds"])
        ratios = [one[target.measure] / other[target.measure] for one, other in pairs if other[target.measure] > 0]
        if not ratios:
            return result
        result["value"] = spread(ratios)
    else:
        value = subject[target.measure]
        if reference is not None:
            if reference[target.measure] <= 0:
                return result
            value /= reference[target.measure]
        result["value"] = spread([value])
    median = result["value"]["median"]
    result["met"] = median >= target.limit if target.at_least else median <= target.limit
    return result


def check_same_machine(earlier, run):
    """Throws Failed if figures of the two runs do not belong into one table."""
    for name in ("processor", "cpus", "kernel"):
        if earlier["machine"].get(name) != run["machine"][name]:
            raise Failed(f"the earlier run was made on another machine ({name}: {earlier['machine'].get(name)}, here "
                         f"{run['machine'][name]}); run everything here")
    for name, version in run["versions"].items():
        if earlier["versions"].get(name, version) != version:
            raise Failed(f"the earlier run had {name} {earlier['versions'][name]}, here is {version}; run everything again")


def merged(earlier, run, order):
    """An earlier run with the scenarios of this one in place of its own, each with when it was measured."""
    apart = {"date": run["machine"]["date"], "rounds": run["rounds"], "seconds": run["seconds"]}
    found = earlier["scenarios"] | {name: results | {"apart": apart} for name, results in run["scenarios"].items()}
    known = [name for name in order if name in found]
    return earlier | {"versions": earlier["versions"] | run["versions"],
                      "scenarios": {name: found[name] for name in known}}
