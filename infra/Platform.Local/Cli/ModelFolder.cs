using System.Text.Json;
using Platform.DataPlane.Weights;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary>A model folder in Hugging Face layout, checked before a byte of it is copied.</summary>
/// <param name="Name">Name of the model.</param>
/// <param name="Files">Paths of the files to publish.</param>
internal sealed record ModelFolder(string Name, IReadOnlyList<FileInfo> Files)
{
    private static readonly string[] Needed = ["config.json", "tokenizer.json"];
    private static readonly string[] Wanted = ["generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors.index.json"];

    /// <summary>Opens and checks a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="name">Name of the model; null: the folder's.</param>
    /// <exception cref="PlatformException">The folder or a file is missing, or a file is not what it should be; every fault is named at once.</exception>
    public static ModelFolder Open(string path, string? name)
    {
        if (!Directory.Exists(path))
        {
            throw new PlatformException($"There is no folder '{path}'.");
        }

        name ??= Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))).ToLowerInvariant();
        var faults = new List<string>();
        if (!Names.IsModel(name))
        {
            faults.Add($"'{name}' is not a model name; expected {Names.ModelRule}. Choose one with --name.");
        }

        var weights = Directory.GetFiles(path, "*.safetensors").Order(StringComparer.Ordinal).Select(file => new FileInfo(file)).ToList();
        var others = Needed.Concat(Wanted).Select(file => new FileInfo(Path.Combine(path, file))).Where(file => file.Exists).ToList();
        faults.AddRange(Needed.Where(file => others.All(other => other.Name != file)).Select(file => $"'{file}' is missing."));
        faults.AddRange(others.Select(JsonFault).OfType<string>());
        if (weights.Count == 0)
        {
            faults.Add("there is no .safetensors file.");
        }

        faults.AddRange(weights.Select(SafetensorsFault).OfType<string>());
        return faults.Count == 0
            ? new ModelFolder(name, [.. others, .. weights])
            : throw new PlatformException($"{path} cannot be published as a model; nothing was copied.\n" + string.Join('\n', faults.Select(fault => "  " + fault)));
    }

    private static string? JsonFault(FileInfo file)
    {
        try
        {
            using var stream = file.OpenRead();
            using var json = JsonDocument.Parse(stream);
            return json.RootElement.ValueKind == JsonValueKind.Object ? null : $"'{file.Name}' holds a JSON {json.RootElement.ValueKind}; expected an object.";
        }
        catch (JsonException error)
        {
            return $"'{file.Name}' is not JSON: {error.Message}";
        }
    }

    private static string? SafetensorsFault(FileInfo file)
    {
        try
        {
            using var stream = file.OpenRead();
            var prefix = new byte[SafetensorsHeader.PrefixLengthBytes];
            var length = SafetensorsHeader.ReadHeaderLength(file.Name, prefix.AsSpan(0, stream.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false)), file.Length);
            var beginning = new byte[prefix.Length + length];
            prefix.CopyTo(beginning, 0);
            stream.ReadExactly(beginning.AsSpan(prefix.Length));
            SafetensorsHeader.Parse(file.Name, beginning, file.Length);
            return null;
        }
        catch (WeightsException error)
        {
            return error.Message;
        }
    }
}
