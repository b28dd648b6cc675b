using System.Text.RegularExpressions;

namespace Platform.Jobs;

/// <summary>The parts of a spec that not every job has.</summary>
public static partial class JobSpecValidation
{
    private const int MaxArguments = 256;
    private const int MaxArgumentCharacters = 4096;

    private static void ValidateExec(JobSpec spec, Action<bool, string, string> check)
    {
        check(spec.Input is null, "$.input", $"a job of kind '{JobKinds.Exec}' takes its files from 'artifacts'.");
        check(spec.Command is { Count: >= 1 and <= MaxArguments }, "$.command", $"{spec.Command?.Count ?? 0} arguments; expected a list of 1 to {MaxArguments} strings, the program first.");
        for (var i = 0; i < (spec.Command?.Count ?? 0); i++)
        {
            var argument = spec.Command![i];
            check(argument is not null && argument.Length <= MaxArgumentCharacters && !argument.Contains('\0') && (i > 0 || argument.Length > 0), $"$.command[{i}]", $"expected a string of at most {MaxArgumentCharacters} characters without NUL{(i == 0 ? ", not empty" : "")}.");
        }

        if (spec.Environment is not { } environment)
        {
            return;
        }

        check(environment.Count <= 64, "$.environment", $"{environment.Count} variables; expected at most 64.");
        foreach (var (name, value) in environment)
        {
            check(VariablePattern().IsMatch(name) && !name.StartsWith("PLATFORM_", StringComparison.Ordinal) && name != "CUDA_VISIBLE_DEVICES", $"$.environment.{name}", "expected a name of letters, digits and underscores that is not one of the platform's own (PLATFORM_..., CUDA_VISIBLE_DEVICES).");
            check(value is not null && value.Length <= MaxArgumentCharacters && !value.Contains('\0'), $"$.environment.{name}", $"expected a value of at most {MaxArgumentCharacters} characters without NUL.");
        }
    }

    private static void ValidateArtifacts(JobSpec spec, Action<bool, string, string> check)
    {
        if (spec.Artifacts is not { } artifacts)
        {
            return;
        }

        check(artifacts.Count <= 256, "$.artifacts", $"{artifacts.Count} artifacts; expected at most 256.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (key, name) in artifacts)
        {
            check(IsKey(spec, key), $"$.artifacts['{key}']", $"'{key}' is not an object key; expected {ObjectKeys.Rule}.");
            check(name is not null && FilePattern().IsMatch(name) && name is not ("." or ".."), $"$.artifacts['{key}']", $"'{name}' is not a file name; expected 1 to 128 of A-Z a-z 0-9 . _ -.");
            check(name is null || names.Add(name), $"$.artifacts['{key}']", $"two artifacts have the file name '{name}'.");
        }
    }

    private static void ValidateResources(JobResources? resources, Action<bool, string, string> check)
    {
        if (resources is null)
        {
            return;
        }

        check(resources.Devices is >= 0 and <= 64, "$.resources.devices", $"{resources.Devices} is out of range; expected 0 to 64.");
        check(resources.Cpu is >= 0 and <= 1024, "$.resources.cpu", $"{resources.Cpu} is out of range; expected 0 to 1024.");
        foreach (var (name, bytes) in new[] { ("deviceMemoryBytes", resources.DeviceMemoryBytes), ("memoryBytes", resources.MemoryBytes), ("scratchBytes", resources.ScratchBytes), ("outputBytes", resources.OutputBytes) })
        {
            check(bytes is >= 0 and <= 1L << 50, $"$.resources.{name}", $"{bytes} is out of range; expected 0 to {1L << 50}.");
        }
    }

    private static void ValidateRetry(JobRetryPolicy? retry, Action<bool, string, string> check)
    {
        if (retry is null)
        {
            return;
        }

        check(retry.DelaySeconds is null or (>= 0 and <= 3600), "$.retry.delaySeconds", $"{retry.DelaySeconds} is out of range; expected 0 to 3600.");
        check(retry.MaxDelaySeconds is null or (>= 0 and <= 86_400), "$.retry.maxDelaySeconds", $"{retry.MaxDelaySeconds} is out of range; expected 0 to 86400.");
        for (var i = 0; i < (retry.FinalExitCodes?.Count ?? 0); i++)
        {
            check(retry.FinalExitCodes![i] is >= 1 and <= 255, $"$.retry.finalExitCodes[{i}]", $"{retry.FinalExitCodes[i]} is out of range; expected 1 to 255.");
        }
    }

    private static void ValidateArray(JobSpec spec, Action<bool, string, string> check)
    {
        if (spec.Array is not { } array)
        {
            return;
        }

        check(array.Size is >= 1 and <= 10_000, "$.array.size", $"{array.Size} is out of range; expected 1 to 10000.");
        check(array.Parallelism is >= 1 and <= 1000, "$.array.parallelism", $"{array.Parallelism} is out of range; expected 1 to 1000.");
        check(spec.Member is null, "$.array", "a child of an array has no array of its own.");
        check(spec.Id is null || Names.IsJobId(ChildId(spec.Id, array.Size)), "$.id", $"'{spec.Id}' leaves no room for the index of its children; expected at most {63 - array.Size.ToString(System.Globalization.CultureInfo.InvariantCulture).Length} characters.");
    }

    private static void ValidateWebhook(JobWebhook? webhook, Action<bool, string, string> check)
    {
        if (webhook is null)
        {
            return;
        }

        var isAddress = Uri.TryCreate(webhook.Url, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url!.UserInfo.Length == 0 && webhook.Url.Length <= 2048;
        check(isAddress, "$.webhook.url", $"'{webhook.Url}' is not an http or https address of at most 2048 characters without user name.");
        check(webhook.SecretName is null || Names.IsModel(webhook.SecretName), "$.webhook.secretName", $"'{webhook.SecretName}' is not the name of a secret; expected {Names.ModelRule}.");
    }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,127}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VariablePattern();

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,128}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FilePattern();
}
