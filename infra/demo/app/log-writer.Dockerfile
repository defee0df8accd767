FROM bagage-node
COPY package.json *.ts /app/
EXPOSE 8080
CMD ["/usr/bin/node", "/app/log-writer.ts"]
