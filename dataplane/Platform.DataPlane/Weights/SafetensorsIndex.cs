using System.Text.Json;

namespace Platform.DataPlane.Weights;

/// <summary>The list that comes with a model of several weights files: which tensor lies in which file.</summary>
/// <remarks><c>{"metadata":{"total_size":123},"weight_map":{"lm_head.weight":"model-00002-of-00002.safetensors", ...}}</c>. The files' own headers say the same and more; the index is there to be checked
/// against them, because a file that is missing altogether shows nowhere else.</remarks>
public sealed class SafetensorsIndex
{
    /// <summary>Its name in a model's folder.</summary>
    public const string FileName = "model.safetensors.index.json";

    private const int FaultsToShow = 10;

    private SafetensorsIndex(IReadOnlyDictionary<string, string> files) => Files = files;

    /// <summary>File name by tensor name.</summary>
    public IReadOnlyDictionary<string, string> Files { get; }

    /// <summary>Reads the list.</summary>
    /// <exception cref="WeightsException">It is not JSON, has no <c>weight_map</c>, lists a tensor twice, or names something that is no file name.</exception>
    public static SafetensorsIndex Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var files = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                var file = entry.Value.GetString();
                if (string.IsNullOrEmpty(file) || file.AsSpan().IndexOfAny('/', '\\') >= 0)
                {
                    throw new WeightsException($"'{FileName}' says that tensor '{entry.Name}' lies in '{file}'; expected the name of a file beside it.");
                }

                if (!files.TryAdd(entry.Name, file))
                {
                    throw new WeightsException($"'{FileName}' lists tensor '{entry.Name}' twice.");
                }
            }

            return new SafetensorsIndex(files);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new WeightsException($"'{FileName}' is not a list of weights files: {error.Message}", error);
        }
    }

    /// <summary>Compares the list with what the files themselves say; every fault is listed (up to ten).</summary>
    /// <param name="headers">All weights files of the model; <see cref="SafetensorsHeader.File"/> is compared by its last part.</param>
    /// <exception cref="WeightsException">A file is missing or unlisted, or a tensor is not where the list says.</exception>
    public void Check(IReadOnlyList<SafetensorsHeader> headers)
    {
        var faults = new List<string>();
        var found = headers.ToDictionary(header => header.File[(header.File.LastIndexOf('/') + 1)..], StringComparer.Ordinal);
        foreach (var missing in Files.Values.Distinct(StringComparer.Ordinal).Where(file => !found.ContainsKey(file)))
        {
            faults.Add($"file '{missing}' is missing");
        }

        foreach (var (tensor, file) in Files)
        {
            if (found.TryGetValue(file, out var header) && !header.Tensors.ContainsKey(tensor))
            {
                faults.Add($"tensor '{tensor}' is not in '{file}'");
            }
        }

        foreach (var (file, header) in found)
        {
            faults.AddRange(header.Tensors.Keys.Where(tensor => !Files.TryGetValue(tensor, out var listed) || listed != file).Select(tensor => $"tensor '{tensor}' of '{file}' is not listed there"));
        }

        if (faults.Count > 0)
        {
            var rest = faults.Count > FaultsToShow ? $"; and {faults.Count - FaultsToShow} more" : "";
            throw new WeightsException($"The weights files are not those that '{FileName}' lists: {string.Join("; ", faults.Take(FaultsToShow))}{rest}. Publish the whole model again.");
        }
    }
}
