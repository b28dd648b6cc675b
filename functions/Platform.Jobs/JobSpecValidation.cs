namespace Platform.Jobs;

/// <summary>Checks a spec once, at the edge, and names every fault at once.</summary>
public static class JobSpecValidation
{
    private const int MaxPrompts = 1000;
    private const int MaxPromptCharacters = 32 * 1024;

    /// <summary>All faults of <paramref name="spec"/>; empty if it may be submitted.</summary>
    public static IReadOnlyList<SpecFault> Validate(JobSpec spec)
    {
        var faults = new List<SpecFault>();
        void Check(bool good, string path, string message)
        {
            if (!good)
            {
                faults.Add(new SpecFault(path, message));
            }
        }

        Check(spec.Id is null || Names.IsJobId(spec.Id), "$.id", $"'{spec.Id}' is not a job id; expected {Names.JobIdRule}.");
        Check(JobKinds.All.Contains(spec.Kind), "$.kind", $"unknown kind '{spec.Kind}'; known: {string.Join(", ", JobKinds.All)}.");
        Check(spec.MaxTokens is >= 1 and <= 4096, "$.maxTokens", $"{spec.MaxTokens} is out of range; expected 1 to 4096.");
        Check(spec.Temperature is >= 0 and <= 2, "$.temperature", $"{spec.Temperature} is out of range; expected 0 to 2.");
        Check(spec.MaxAttempts is >= 1 and <= 100, "$.maxAttempts", $"{spec.MaxAttempts} is out of range; expected 1 to 100.");
        Check(spec.DeadlineSeconds is null or (>= 1 and <= 604_800), "$.deadlineSeconds", $"{spec.DeadlineSeconds} is out of range; expected 1 to 604800.");
        if (spec.Kind == JobKinds.BatchInfer)
        {
            ValidateBatchInfer(spec, Check);
        }

        if (spec.Labels is { } labels)
        {
            Check(labels.Count <= 16, "$.labels", $"{labels.Count} labels; expected at most 16.");
            foreach (var (key, value) in labels)
            {
                Check(key.Length is >= 1 and <= 64 && value?.Length is >= 0 and <= 64, $"$.labels.{key}", "a label and its value have at most 64 characters.");
            }
        }

        return faults;
    }

    private static void ValidateBatchInfer(JobSpec spec, Action<bool, string, string> check)
    {
        check(Names.IsModel(spec.Model), "$.model", $"'{spec.Model}' is not a model name; expected {Names.ModelRule}.");
        check((spec.Input is null) != (spec.Prompts is null), "$.input", "expected exactly one of 'input' (an object-storage key) and 'prompts' (a list of strings).");
        check(spec.Input is null || ObjectKeys.IsValid(spec.Input), "$.input", $"'{spec.Input}' is not an object key; expected {ObjectKeys.Rule}.");
        if (spec.Prompts is not { } prompts)
        {
            return;
        }

        check(prompts.Count is >= 1 and <= MaxPrompts, "$.prompts", $"{prompts.Count} prompts; expected 1 to {MaxPrompts}. Put larger inputs into object storage and name them in 'input'.");
        var characters = 0L;
        for (var i = 0; i < prompts.Count; i++)
        {
            check(!string.IsNullOrEmpty(prompts[i]), $"$.prompts[{i}]", "the prompt is empty.");
            characters += prompts[i]?.Length ?? 0;
        }

        check(characters <= MaxPromptCharacters, "$.prompts", $"{characters} characters in all; expected at most {MaxPromptCharacters}. Put larger inputs into object storage and name them in 'input'.");
    }
}
