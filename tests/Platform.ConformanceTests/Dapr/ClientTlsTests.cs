using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Platform.Local;
using Platform.Local.Sidecar;

namespace Platform.ConformanceTests.Dapr;

/// <summary><c>clientTLS</c> of HTTPEndpoint resources, against a server whose certificate nobody else trusts and that lets only known clients in.</summary>
public sealed class ClientTlsTests : IAsyncLifetime
{
    private readonly TestAuthority _authority = new();
    private readonly int _port = LoopbackPort.AnyFree();
    private WebApplication? _server;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, _port, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = _authority.Issue("127.0.0.1");
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (certificate, _, _) => certificate.Issuer == _authority.Root.Subject;
        })));
        _server = builder.Build();
        _server.Run(context => context.Response.WriteAsync($"{context.Connection.ClientCertificate!.Subject} asks for {context.Request.Path}", Stop));
        await _server.StartAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _authority.Dispose();
    }

    [Fact]
    public async Task Endpoint_WithRootAndCertificate_TrustsAndIsTrusted()
    {
        using var client = _authority.Issue("sidecar");
        var secrets = Path.Combine(Directory.CreateTempSubdirectory("tls-").FullName, "secrets.json");
        await File.WriteAllTextAsync(secrets, System.Text.Json.JsonSerializer.Serialize(new Dictionary<string, string> { ["key"] = client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem() }), Stop);
        await using var cluster = await TestCluster.OpenAsync($$"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: secrets }
            spec: { type: secretstores.local.file, version: v1, metadata: [{ name: secretsFile, value: "{{secrets}}" }] }
            ---
            {{Endpoint($$"""
                rootCA: { value: {{Quoted(_authority.Root.ExportCertificatePem())}} }
                certificate: { value: {{Quoted(client.ExportCertificatePem())}} }
                privateKey: { secretKeyRef: { name: key, key: key } }
                """)}}
            auth: { secretStore: secrets }
            """);
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/outside/method/a/b")).IsAsync(HttpStatusCode.OK, "CN=sidecar asks for /a/b");
        Directory.Delete(Path.GetDirectoryName(secrets)!, recursive: true);
    }

    [Fact]
    public async Task Endpoint_WithoutTheRoot_DoesNotTrustTheServer()
    {
        using var client = _authority.Issue("sidecar");
        await using var cluster = await TestCluster.OpenAsync(Endpoint($$"""
            certificate: { value: {{Quoted(client.ExportCertificatePem())}} }
            privateKey: { value: {{Quoted(client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem())}} }
            """));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/outside/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task Endpoint_WithoutACertificate_IsNotLetIn()
    {
        await using var cluster = await TestCluster.OpenAsync(Endpoint($$"""rootCA: { value: {{Quoted(_authority.Root.ExportCertificatePem())}} }"""));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/outside/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task Endpoint_WithAKeyThatIsNone_IsRefusedWithFileAndLine()
    {
        using var client = _authority.Issue("sidecar");
        await using var cluster = await TestCluster.OpenAsync(Endpoint($$"""
            certificate: { value: {{Quoted(client.ExportCertificatePem())}} }
            privateKey: { value: "not a key" }
            """));

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Matches(@"all\.yaml\(\d+\): clientTLS cannot be used", e.Message);
    }

    private static string Quoted(string pem) => System.Text.Json.JsonSerializer.Serialize(pem);

    private string Endpoint(string tls) => $$"""
        apiVersion: dapr.io/v1alpha1
        kind: HTTPEndpoint
        metadata: { name: outside }
        spec:
          baseUrl: https://127.0.0.1:{{_port}}
          clientTLS:
            {{tls.ReplaceLineEndings("\n    ")}}
        """;

    /// <summary>A certificate authority for one test.</summary>
    private sealed class TestAuthority : IDisposable
    {
        private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        public TestAuthority()
        {
            var request = new CertificateRequest("CN=Test authority", _key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
            Root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        }

        public X509Certificate2 Root { get; }

        /// <summary>A certificate with its key.</summary>
        public X509Certificate2 Issue(string name)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
            if (IPAddress.TryParse(name, out var address))
            {
                var names = new SubjectAlternativeNameBuilder();
                names.AddIpAddress(address);
                request.CertificateExtensions.Add(names.Build());
            }

            using var certificate = request.Create(Root, new DateTimeOffset(Root.NotBefore), new DateTimeOffset(Root.NotAfter), RandomNumberGenerator.GetBytes(8));
            using var withKey = certificate.CopyWithPrivateKey(key);
            return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pfx), null, X509KeyStorageFlags.Exportable);
        }

        public void Dispose()
        {
            Root.Dispose();
            _key.Dispose();
        }
    }
}
