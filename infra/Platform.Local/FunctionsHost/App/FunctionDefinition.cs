using System.Text.Json.Nodes;

namespace Platform.Local.FunctionsHost.App;

/// <summary>One function as its folder describes it.</summary>
internal sealed record FunctionDefinition
{
    public required string Name { get; init; }

    /// <summary>The content of <c>function.json</c>, for the admin endpoints; empty if it could not be read.</summary>
    public required JsonObject Json { get; init; }

    public IReadOnlyList<BindingDefinition> Bindings { get; init; } = [];

    public bool IsDisabled { get; init; }

    public RetryPolicy? Retry { get; init; }

    /// <summary>Why the function is off; null if it is fit to run.</summary>
    public string? Error { get; init; }

    public bool Runs => Error is null && !IsDisabled;

    /// <summary>The one binding whose type ends in <c>Trigger</c>.</summary>
    public BindingDefinition Trigger => Bindings.First(binding => binding.IsTrigger);

    public IEnumerable<BindingDefinition> Outputs => Bindings.Where(binding => binding.IsOutput);

    public BindingDefinition? HttpOutput => Outputs.FirstOrDefault(binding => binding.Type == BindingTypes.Http);

    public bool IsHttp => Trigger.Type == BindingTypes.HttpTrigger;

    /// <summary>Raw modes apply to functions with exactly an HTTP trigger and an HTTP output; one binding more, or one less, means the envelope.</summary>
    public bool AllowsRawHttp => IsHttp && Bindings.Count == 2 && HttpOutput is not null;
}

/// <summary>One binding of a function.</summary>
internal sealed record BindingDefinition(string Type, string Direction, string Name, JsonObject Json)
{
    public bool IsTrigger => Type.EndsWith("trigger", StringComparison.Ordinal);

    public bool IsOutput => Direction is "out" or "inout";

    /// <summary>Binds the function's return value.</summary>
    public bool IsReturnValue => Name.Equals("$return", StringComparison.OrdinalIgnoreCase);

    /// <summary>True if strings are not taken for base64.</summary>
    public bool IsBinary => "binary".Equals(Text("dataType"), StringComparison.OrdinalIgnoreCase);

    public string? Text(string property) => Json[property] is JsonValue value ? value.ToString() : null;
}

/// <summary>Binding types that this host serves, in lower case.</summary>
internal static class BindingTypes
{
    public const string HttpTrigger = "httptrigger";
    public const string QueueTrigger = "queuetrigger";
    public const string TimerTrigger = "timertrigger";
    public const string Http = "http";
    public const string Queue = "queue";

    public static IReadOnlyList<string> All { get; } = [HttpTrigger, QueueTrigger, TimerTrigger, Http, Queue];
}

/// <summary>The key <c>retry</c>: how often a failed invocation is run again, and after which waits.</summary>
internal sealed record RetryPolicy(int MaxRetryCount, TimeSpan Minimum, TimeSpan Maximum)
{
    /// <summary>Longest wait that a policy may ask for.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromDays(1);

    /// <summary>The wait before retry <paramref name="number"/>, 1 for the first.</summary>
    public TimeSpan Delay(int number) => TimeSpan.FromTicks((long)Math.Min(Maximum.Ticks, Minimum.Ticks * Math.Pow(2, Math.Min(number - 1, 30))));
}
