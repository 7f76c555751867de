"""From single rounds to what is reported: medians with minimum and maximum, ratios, targets."""
import statistics

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
