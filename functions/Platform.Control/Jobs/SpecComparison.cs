using System.Text.Json;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Tells whether two submissions ask for the same: their JSON is equal, whatever the order of labels, variables and artifacts.</summary>
internal static class SpecComparison
{
    public static bool AreSame(JobSpec one, JobSpec other) => Canonical(one).AsSpan().SequenceEqual(Canonical(other));

    private static byte[] Canonical(JobSpec spec) => JsonSerializer.SerializeToUtf8Bytes(
        spec with { Labels = Sorted(spec.Labels), Environment = Sorted(spec.Environment), Artifacts = Sorted(spec.Artifacts) },
        JobsJson.Default.JobSpec);

    private static SortedDictionary<string, string>? Sorted(IReadOnlyDictionary<string, string>? pairs) =>
        pairs is null ? null : new SortedDictionary<string, string>(pairs.ToDictionary(), StringComparer.Ordinal);
}
