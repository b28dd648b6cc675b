using System.Text.Json;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Secrets;

/// <summary><c>secretstores.local.file</c>: a JSON file. Nested objects become names joined by a separator, or maps if <c>multiValued</c> is on.</summary>
internal sealed class FileSecretStore : ISecretStore
{
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _secrets;

    private FileSecretStore(Dictionary<string, IReadOnlyDictionary<string, string>> secrets) => _secrets = secrets;

    /// <exception cref="ResourceException">The file is not there, or no JSON object.</exception>
    public static FileSecretStore Open(ComponentResource resource)
    {
        var file = resource.Find("secretsFile") ?? throw new ResourceException(resource.File, resource.Line, $"component '{resource.Name}' lacks the metadata 'secretsFile'.");
        var separator = resource.Find("nestedSeparator") ?? ":";
        var isMultiValued = string.Equals(resource.Find("multiValued"), "true", StringComparison.OrdinalIgnoreCase);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            var secrets = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (isMultiValued && property.Value.ValueKind == JsonValueKind.Object)
                {
                    var values = new Dictionary<string, string>(StringComparer.Ordinal);
                    foreach (var nested in property.Value.EnumerateObject())
                    {
                        Flatten(values, nested.Name, nested.Value, separator);
                    }

                    secrets[property.Name] = values;
                }
                else
                {
                    var values = new Dictionary<string, string>(StringComparer.Ordinal);
                    Flatten(values, property.Name, property.Value, separator);
                    foreach (var (name, value) in values)
                    {
                        secrets[name] = new Dictionary<string, string> { [name] = value };
                    }
                }
            }

            return new FileSecretStore(secrets);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            throw new ResourceException(resource.File, resource.Line, $"component '{resource.Name}': secrets file '{file}' cannot be read: {e.Message}");
        }
    }

    public IReadOnlyDictionary<string, string>? Find(string name) => _secrets.GetValueOrDefault(name);

    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> All() => _secrets;

    private static void Flatten(Dictionary<string, string> values, string name, JsonElement element, string separator)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    Flatten(values, name + separator + property.Name, property.Value, separator);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in element.EnumerateArray())
                {
                    Flatten(values, name + separator + index++, item, separator);
                }

                break;
            default:
                values[name] = element.ToString();
                break;
        }
    }
}
