using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>A target outside of Dapr: an HTTPEndpoint resource, or an address that a caller named itself.</summary>
/// <param name="Name">Name of the resource, or the address.</param>
/// <param name="BaseAddress">Address, with a slash at its end.</param>
/// <param name="Headers">Added to every call.</param>
/// <param name="Client">Pools the connections.</param>
internal sealed record HttpEndpoint(string Name, string BaseAddress, IReadOnlyList<(string Name, string Value)> Headers, HttpMessageInvoker Client) : IDisposable
{
    /// <exception cref="ResourceException">Its address, a secret or a certificate cannot be used.</exception>
    public static HttpEndpoint Of(ResourceDocument document, ValueResolver values)
    {
        var spec = document.Spec;
        var address = spec.RequiredText("baseUrl");
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw spec.ErrorAt("baseUrl", $"baseUrl is '{address}'; expected an http or https address.");
        }

        var secretStore = document.Root.Map("auth")?.Text("secretStore");
        return new HttpEndpoint(
            document.Name,
            address.TrimEnd('/') + "/",
            [.. spec.Maps("headers").Select(header => (header.RequiredText("name"), values.Resolve(header, secretStore)))],
            NewClient(TlsOf(spec.Map("clientTLS"), secretStore, values)));
    }

    /// <summary>A client that only forwards.</summary>
    public static HttpMessageInvoker NewClient(SslClientAuthenticationOptions? tls = null)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(5),
        };
        if (tls is not null)
        {
            handler.SslOptions = tls;
        }

        return new HttpMessageInvoker(handler);
    }

    public void Dispose() => Client.Dispose();

    private static SslClientAuthenticationOptions? TlsOf(YamlMap? tls, string? secretStore, ValueResolver values)
    {
        if (tls is null)
        {
            return null;
        }

        string? Pem(string key) => tls.Map(key) is { } entry ? values.Resolve(entry, secretStore) : null;

        try
        {
            var options = new SslClientAuthenticationOptions();
            if (Pem("rootCA") is { Length: > 0 } root)
            {
                var roots = new X509Certificate2Collection();
                roots.ImportFromPem(root);
                options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                options.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
            }

            if (Pem("certificate") is { Length: > 0 } certificate && Pem("privateKey") is { Length: > 0 } key)
            {
                options.ClientCertificates = [X509Certificate2.CreateFromPem(certificate, key)];
            }

            options.AllowRenegotiation = tls.Text("renegotiation") is not (null or "RenegotiateNever");
            return options;
        }
        catch (CryptographicException e)
        {
            throw tls.Error($"clientTLS cannot be used: {e.Message}");
        }
    }
}
