namespace Platform.Jobs;

/// <summary>Checks a spec once, at the edge, and names every fault at once.</summary>
public static partial class JobSpecValidation
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
        Check(spec.Priority is >= -100 and <= 100, "$.priority", $"{spec.Priority} is out of range; expected -100 to 100.");
        Check(spec.DeadlineSeconds is null or (>= 1 and <= 604_800), "$.deadlineSeconds", $"{spec.DeadlineSeconds} is out of range; expected 1 to 604800.");
        Check(spec.TtlSeconds is null or (>= 0 and <= 31_536_000), "$.ttlSeconds", $"{spec.TtlSeconds} is out of range; expected 0 to 31536000.");
        Check(spec.GraceSeconds is null or (>= 0 and <= 300), "$.graceSeconds", $"{spec.GraceSeconds} is out of range; expected 0 to 300.");
        Check(spec.RetryOf is null || Names.IsJobId(spec.RetryOf), "$.retryOf", $"'{spec.RetryOf}' is not a job id; expected {Names.JobIdRule}.");
        Check(spec.Member is null || ((spec.RetryOf is not null || spec.Id == ChildId(spec.Member.Parent, spec.Member.Index)) && spec.Member.Index >= 0 && spec.Member.Index < spec.Member.Size), "$.member", "set by the platform alone, in the children of an array job; leave it out.");
        ValidateKind(spec, Check);
        ValidateArtifacts(spec, Check);
        ValidateResources(spec.Resources, Check);
        ValidateRetry(spec.Retry, Check);
        ValidateArray(spec, Check);
        ValidateWebhook(spec.Webhook, Check);
        ValidateLabels(spec.Labels, Check);
        return faults;
    }

    /// <summary>Id of the child of an array job.</summary>
    public static string ChildId(string parent, int index) => $"{parent}-{index}";

    private static void ValidateKind(JobSpec spec, Action<bool, string, string> check)
    {
        switch (spec.Kind)
        {
            case JobKinds.BatchInfer:
                ValidateBatchInfer(spec, check);
                break;
            case JobKinds.Exec:
                ValidateExec(spec, check);
                break;
            case JobKinds.Train:
                ValidateTrain(spec, check);
                break;
        }

        if (!JobKinds.All.Contains(spec.Kind))
        {
            // Nobody knows what such a job may have.
            return;
        }

        check(spec.Kind == JobKinds.Exec || spec.Command is null, "$.command", $"only a job of kind '{JobKinds.Exec}' has a command.");
        check(spec.Kind == JobKinds.Exec || spec.Environment is null, "$.environment", $"only a job of kind '{JobKinds.Exec}' has an environment.");
        check(spec.Kind == JobKinds.Exec || spec.Artifacts is null, "$.artifacts", $"only a job of kind '{JobKinds.Exec}' has artifacts; name the input of others in 'input'.");
        check(spec.Kind == JobKinds.Train || spec.Training is null, "$.training", $"only a job of kind '{JobKinds.Train}' has training settings.");
        check(spec.Kind == JobKinds.BatchInfer || spec.Prompts is null, "$.prompts", $"only a job of kind '{JobKinds.BatchInfer}' has prompts.");
    }

    private static void ValidateBatchInfer(JobSpec spec, Action<bool, string, string> check)
    {
        check(Names.IsModel(spec.Model), "$.model", $"'{spec.Model}' is not a model name; expected {Names.ModelRule}.");
        check((spec.Input is null) != (spec.Prompts is null), "$.input", "expected exactly one of 'input' (an object-storage key) and 'prompts' (a list of strings).");
        check(spec.Input is null || IsKey(spec, spec.Input), "$.input", $"'{spec.Input}' is not an object key; expected {ObjectKeys.Rule}.");
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

    private static void ValidateTrain(JobSpec spec, Action<bool, string, string> check)
    {
        check(IsKey(spec, spec.Input), "$.input", $"'{spec.Input}' is not an object key; a '{JobKinds.Train}' job names the text to learn: {ObjectKeys.Rule}.");
        var training = spec.Training ?? new JobTraining();
        check(training.Steps is null or (>= 1 and <= 1_000_000), "$.training.steps", $"{training.Steps} is out of range; expected 1 to 1000000.");
        check(training.Batch is null || (training.Batch is >= 2 and <= 1024 && training.Batch % 2 == 0), "$.training.batch", $"{training.Batch} is no even number from 2 to 1024.");
        check(training.LearningRate is null or (> 0 and <= 1), "$.training.learningRate", $"{training.LearningRate} is out of range; expected above 0, at most 1.");
    }

    private static void ValidateLabels(IReadOnlyDictionary<string, string>? labels, Action<bool, string, string> check)
    {
        if (labels is null)
        {
            return;
        }

        check(labels.Count <= 16, "$.labels", $"{labels.Count} labels; expected at most 16.");
        foreach (var (key, value) in labels)
        {
            check(key.Length is >= 1 and <= 64 && value?.Length is >= 0 and <= 64, $"$.labels.{key}", "a label and its value have at most 64 characters.");
        }
    }

    /// <summary>In an array, <c>{index}</c> in a key stands for the index.</summary>
    private static bool IsKey(JobSpec spec, string? key) => ObjectKeys.IsValid(spec.Array is null ? key : key?.Replace("{index}", "0", StringComparison.Ordinal));
}
