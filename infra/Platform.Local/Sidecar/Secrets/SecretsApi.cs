using System.Buffers;
using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Secrets;

/// <summary><c>/v1.0/secrets/{store}/{name}</c> and <c>.../bulk</c>.</summary>
internal sealed class SecretsApi(IReadOnlyDictionary<string, ISecretStore> stores, SecretScopes scopes)
{
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (path.Count != 4 || !HttpMethods.IsGet(context.Request.Method))
        {
            return false;
        }

        var storeName = path.Parameter(2);
        var store = Resolve(storeName);
        var answer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(answer))
        {
            if (path.Is(3, "bulk"))
            {
                writer.WriteStartObject();
                foreach (var (name, secret) in store.All().Where(secret => scopes.Allows(storeName, secret.Key)))
                {
                    writer.WritePropertyName(name);
                    Write(writer, secret);
                }

                writer.WriteEndObject();
            }
            else
            {
                Write(writer, Find(storeName, store, path.Parameter(3)));
            }
        }

        await context.AnswerJsonAsync(200, answer.WrittenMemory);
        return true;
    }

    private ISecretStore Resolve(string name)
    {
        if (stores.Count == 0)
        {
            throw new DaprErrorException(500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured");
        }

        return stores.GetValueOrDefault(name) ?? throw new DaprErrorException(401, "ERR_SECRET_STORE_NOT_FOUND", $"failed finding secret store with key {name}");
    }

    private IReadOnlyDictionary<string, string> Find(string storeName, ISecretStore store, string name)
    {
        if (!scopes.Allows(storeName, name))
        {
            throw new DaprErrorException(403, "ERR_PERMISSION_DENIED", $"access denied by policy to get \"{name}\" from \"{storeName}\"");
        }

        return store.Find(name) ?? throw new DaprErrorException(500, "ERR_SECRET_GET", $"failed getting secret with key {name} from secret store {storeName}: secret {name} not found");
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> secret)
    {
        writer.WriteStartObject();
        foreach (var (key, value) in secret)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
    }
}
