using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>PUT /api/models/{model}</c>: publishes a model whose files lie in object storage; the body is its <see cref="ModelManifest"/>.</summary>
internal sealed class PushModelFunction(ControlClient control)
{
    private static readonly string[] NeededFiles = ["config.json", "tokenizer.json"];

    [Function("PushModel")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "put", Route = "api/models/{model}")] ModelManifest manifest, string model, CancellationToken cancellationToken)
    {
        var faults = Validate(manifest, model);
        if (faults.Count > 0)
        {
            return new ProblemResult(Problem.Of(400, ErrorCodes.ModelInvalid, $"The manifest of model '{model}' has {faults.Count} faults: {string.Join(" ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}", faults));
        }

        return Results.Json(await control.PublishModelAsync(manifest, cancellationToken), JobsJson.Default.ModelManifest);
    }

    /// <summary>Every fault of a manifest.</summary>
    internal static IReadOnlyList<SpecFault> Validate(ModelManifest? manifest, string model)
    {
        if (manifest?.Files is null)
        {
            return [new SpecFault("$", "the manifest is null or has no files.")];
        }

        var faults = new List<SpecFault>();
        if (!Names.IsModel(model))
        {
            faults.Add(new SpecFault("$.name", $"'{model}' is not a model name; expected {Names.ModelRule}."));
        }
        else if (manifest.Name != model)
        {
            faults.Add(new SpecFault("$.name", $"the manifest names '{manifest.Name}', the route '{model}'; they must be equal."));
        }

        foreach (var needed in NeededFiles.Where(needed => manifest.Files.All(file => file?.Name != needed)))
        {
            faults.Add(new SpecFault("$.files", $"'{needed}' is missing."));
        }

        if (!manifest.Files.Any(file => file?.Name?.EndsWith(".safetensors", StringComparison.Ordinal) == true))
        {
            faults.Add(new SpecFault("$.files", "there is no file '*.safetensors'."));
        }

        for (var i = 0; i < manifest.Files.Count; i++)
        {
            CheckFile(manifest.Files[i], $"$.files[{i}]", faults);
        }

        foreach (var twins in manifest.Files.GroupBy(file => file?.Name).Where(group => group.Count() > 1))
        {
            faults.Add(new SpecFault("$.files", $"'{twins.Key}' is listed {twins.Count()} times."));
        }

        return faults;
    }

    private static void CheckFile(ModelFile? file, string path, List<SpecFault> faults)
    {
        if (file?.Name is null || file.Name.Contains('/', StringComparison.Ordinal) || !ObjectKeys.IsValid(file.Name))
        {
            faults.Add(new SpecFault(path + ".name", $"'{file?.Name}' is not a file name; expected an object key without a slash: {ObjectKeys.Rule}."));
        }
        else if (file.LengthBytes <= 0)
        {
            faults.Add(new SpecFault(path + ".lengthBytes", $"'{file.Name}' has {file.LengthBytes} bytes; expected more than 0."));
        }
        else if (string.IsNullOrEmpty(file.ETag))
        {
            faults.Add(new SpecFault(path + ".eTag", $"'{file.Name}' has no ETag; expected the one that object storage gave at its upload."));
        }
    }
}
